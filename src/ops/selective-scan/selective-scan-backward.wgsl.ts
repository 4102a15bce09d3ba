/**
 * The gradients of the selective scan (equations: selective-scan.ts) as one shader, from the last tile to the first. With
 * G_t the gradient of h_t, a_t = exp(Δ_t A), x_t = Δ_t u_t and v_t = y_t before the gate:
 *
 *   dv_t = dy_t silu(z_t)                  G_t  = C_t dv_t + a_{t+1} G_{t+1}        G_L of `last`
 *   dC_t = Σ_e h_t dv_t                    dB_t = Σ_e G_t x_t                       dx_t = Σ_n G_t B_t
 *   dΔ_t = Σ_n a_t G_t h_{t−1} A + dx_t u_t      du_t = dx_t Δ_t + dv_t D           dz_t = dy_t v_t silu′(z_t)
 *   dA   = Σ_t a_t G_t h_{t−1} Δ_t         dD   = Σ_t dv_t u_t                      dh0  = a_1 G_1
 *
 * An interval begins with the state that the forward pass kept. Its tiles are first swept through, to have the state before
 * each of them; then each tile, the last first, is computed forward once more with all h_t and a_t in registers, and
 * walked back. dB and dC are summed over the channels of the group here, and over groups by scan-matrix-sums.wgsl.ts.
 *
 * Divided, a workgroup walks the intervals of one segment of steps (scan-segments.ts). It begins with the G that comes from
 * behind the segment, which it makes of what each later segment hands back (scan-carries.wgsl.ts).
 */
import {type DeviceFacts, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'
import {type ScanCarriesForm} from './scan-carries.wgsl.js'
import {
  channelOf,
  checkpointAt,
  keyOf,
  laneConstants,
  LOG2_E,
  SCAN_PARAMETERS,
  scanRows,
  SEGMENT_PARAMETERS,
} from './scan-form.wgsl.js'
import {channelGroups, planScan, type ScanPlan, type ScanTuning} from './scan-plan.js'
import {finishTile, firstStates, parameterSums} from './scan-finish.wgsl.js'
import {intervalStarts, ownIntervals, schedule} from './scan-schedule.wgsl.js'
import {beginStates, declarePositions, findFirsts, positionSlots} from './scan-sequences.wgsl.js'
import {declareSums, sumPlaces} from './scan-sums.wgsl.js'
import {
  channelItems,
  fetchRegisters,
  forItems,
  inputChannels,
  inputRows,
  inputStates,
  outputRows,
  outputStates,
  range,
  type Rows,
  SOFTPLUS,
  stateItems,
} from './scan-tiles.wgsl.js'
import {
  KINDS,
  matrixNumbers,
  matrixPlaces,
  matrixSize,
  orderConstant,
  ORDERED,
  stage,
  storeMatrix,
  sumsAtOnce,
  sweepTile,
  walkBack,
  type Wanted,
} from './scan-walk-back.wgsl.js'

export interface ScanGradientForm extends ScanCarriesForm {
  readonly wanted: Wanted
  /** Whether steps are divided into segments */
  readonly divided: boolean
}

/**
 * Inputs u, delta, b, c, z, a, d, checkpoints, dy, then the carries if divided, which include dLast, else dLast if there is
 * one, then positions if rows are packed. Outputs for 'inputs': dU, dDelta, dZ, partial sums of dB and dC, dH0 if there is an h0; for 'parameters': dA and dD
 * of each segment of each sequence, segments first.
 */
export function scanBackwardShader(form: ScanGradientForm, facts: DeviceFacts, tuning?: ScanTuning): Shader {
  const plan = planScan('backward', form, facts, tuning)
  return {
    code: () => backwardCode(form, plan),
    key: keyOf(form, plan),
    name: `selective scan, gradient of ${form.wanted}`,
  }
}

export function scanBackwardGrid(
  form: ScanGradientForm,
  segments: number,
  facts: DeviceFacts,
  tuning?: ScanTuning,
): Grid {
  return [channelGroups(planScan('backward', form, facts, tuning)), form.batch, segments]
}

function backwardCode(form: ScanGradientForm, plan: ScanPlan): string {
  const {interval, lanes, shuffles, tile} = plan
  const turns = 2 * (interval / tile) - 1
  return `${shuffles ? 'enable subgroups;' : ''}
${parameters(form.divided ? SEGMENT_PARAMETERS : SCAN_PARAMETERS)}
${bindings(form, plan)}
${workgroupMemory(form, plan)}
${SOFTPLUS}
${ORDERED}
${schedule(plan)}

@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  ${laneConstants(plan)}
  ${orderConstant(plan)}
  ${laneVariables(form, plan)}
  ${ownIntervals(form.divided, plan)}
  let visits = (last_interval - first_interval + 1u) * ${turns}u;
  // Each round asks for the tile of a visit and works on the one that was asked for the round before.
  for (var next = 0u; next <= visits; next++) {
    let visit = next - 1u;
    let start = first_step(visit, last_interval);
    if (next > 0u) { ${stageTile(plan)} }
    workgroupBarrier();
    let turn = visit % ${turns}u;
    if (next > 0u && turn == 0u) { ${range(plan.channelsPerLane)
      .map((p) => `h_${p} = ordered(next_h_${p}, order);`)
      .join(' ')} }
    if (next < visits) { ${fetchTile(plan)} }
    if (next > 0u) {
      ${intervalStarts(plan)}
      ${findFirsts(form, 'params.length')}if (is_sweep(visit)) { ${sweepTile(form, plan)} }
      else { ${partialRow(form, plan)} ${walkBack(form, plan)} }
      workgroupBarrier();
      if (!is_sweep(visit)) { ${finishTile(form.wanted, plan)} }
    }
  }
  ${finishSequence(form, plan)}
}`
}

function finishSequence(form: ScanGradientForm, plan: ScanPlan): string {
  const {h0, wanted} = form
  if (wanted === 'parameters') return parameterSums(plan)
  return h0 ? firstStates(form, plan) : ''
}

function rowsOf(form: ScanGradientForm): Record<'u' | 'delta' | 'b' | 'c' | 'z' | 'dy', Rows> {
  return {...scanRows(form), dy: {across: 'channels', columns: form.channels, format: form.dy, name: 'dy', slot: 8}}
}

function bindings(form: ScanGradientForm, plan: ScanPlan): string {
  const {channels, dLast, divided, h0, stored, wanted} = form
  const readSlots = dLast || divided ? 10 : 9
  const first = readSlots + positionSlots(form)
  const changes = ['du', 'ddelta', 'dz'].map((name, i) =>
    outputRows({columns: channels, format: stored, name, slot: first + i, ...(name === 'dz' && {like: 'z'})}),
  )
  const outputs =
    wanted === 'inputs'
      ? [
          ...changes,
          `@group(0) @binding(${first + 3}) var<storage, read_write> partials: array<f32>;`,
          h0 ? outputStates({name: 'dh0', plan, slot: first + 4}) : '',
        ]
      : [
          outputStates({name: 'da', plan, slot: first}),
          `@group(0) @binding(${first + 1}) var<storage, read_write> dd: array<f32>;`,
        ]
  return [
    ...Object.values(rowsOf(form)).map((rows) => inputRows(rows, plan)),
    inputStates({format: 'f32', name: 'a', plan, slot: 5}),
    inputChannels('d', 6, plan),
    '@group(0) @binding(7) var<storage, read> checkpoints: array<vec4<f32>>;',
    divided ? inputStates({format: 'f32', name: 'carries', plan, slot: 9}) : '',
    dLast && !divided ? inputStates({format: dLast, name: 'dlast', plan, slot: 9}) : '',
    ...declarePositions(form, readSlots, plan),
    ...outputs,
  ].join('\n')
}

function workgroupMemory({wanted}: ScanGradientForm, plan: ScanPlan): string {
  const {channelsPerLane, interval, lanes, tile, width} = plan
  const numbers = (name: string, count: number): string => `var<workgroup> ${name}: array<f32, ${count}>;`
  const fours = (name: string, count: number): string => `var<workgroup> ${name}: array<vec4<f32>, ${count}>;`
  const starts = (interval / tile - 1) * channelsPerLane * lanes
  return [
    ...['tile_b', 'tile_c'].map((name) => fours(name, matrixSize(plan))),
    starts > 0 ? fours('starts', starts) : '',
    declareSums(plan, KINDS),
    wanted === 'parameters' ? fours('skips', lanes) : '',
    wanted === 'inputs' && !sumsAtOnce(plan)
      ? numbers('matrix_sums', (lanes / width) * tile * matrixNumbers(plan))
      : '',
  ].join('\n')
}

/** What a lane has in registers all the time, and where its sums go. */
function laneVariables(form: ScanGradientForm, plan: ScanPlan): string {
  const {b, c, delta, dy, u, z} = rowsOf(form)
  const items = channelItems(plan)
  const ofChannel = (p: number): string[] => {
    const read = (name: string): string => `ordered(read_${name}, order)`
    const at = `${channelOf(p, plan)}, state_lane`
    return [
      `let rate_${p} = ${LOG2_E} * ${read(`a(0u, ${at})`)};`,
      carryBehind(p, form, plan),
      `var h_${p}: vec4<f32>; var next_h_${p}: vec4<f32>;`,
      form.wanted === 'parameters' ? `var d_rate_${p}: vec4<f32>;` : '',
      ...(form.packed && form.h0 ? [`var d_begin_${p}: vec4<f32>;`] : []),
    ]
  }
  const ofItem = (i: number): string =>
    ['x', 'dt', 'up', 'slope_delta', 'slope_z', 'd'].map((name) => `var ${name}_${i}: vec4<f32>;`).join(' ')
  return [
    ...range(plan.channelsPerLane).flatMap(ofChannel),
    // The state before the first interval is the one that sequences begin with.
    ...beginStates(form, plan, form.h0 ? (p) => `ordered(checkpoints[${checkpointAt(p, '0u', plan)}], order)` : null),
    form.wanted === 'inputs' ? `${sumPlaces(plan, KINDS)}\n${matrixPlaces(plan)}` : 'var d_skip: vec4<f32>;',
    ...[u, delta, z, dy].map((rows) => fetchRegisters(rows, items)),
    ...[b, c].map((rows) => fetchRegisters(rows, stateItems(plan))),
    ...range(items.perLane).map(ofItem),
    forItems(items, plan, (i) => `d_${i} = read_d(first_channel + place * 4u);`),
  ].join('\n')
}

/** `carry_<p>`: what the last step of the workgroup is handed. Segments hand on what they are handed, the last one first. */
function carryBehind(p: number, {dLast, divided}: ScanGradientForm, plan: ScanPlan): string {
  const read = (name: string, row: string): string =>
    `ordered(read_${name}(${row}, ${channelOf(p, plan)}, state_lane), order)`
  if (!divided) return `var carry_${p} = ${dLast ? read('dlast', 'sequence') : 'vec4<f32>()'};`
  return `var carry_${p} = ${read('carries', '(groups.z - 1u) * groups.y + sequence')};
  for (var later = groups.z - 1u; later > group.z; later--) {
    carry_${p} = ${read('carries', '(later - 1u) * groups.y + sequence')}
      + ${read('carries', '(groups.z + later - 1u) * groups.y + sequence')} * carry_${p};
  }`
}

/**
 * Asks for the tile of the visit `next`: a sweep needs no more than u, delta and B. Nothing is done here with what comes:
 * a lane would wait for it.
 */
function fetchTile(plan: ScanPlan): string {
  const fetch = (names: readonly string[], column: string) => (i: number) =>
    names.map((name) => `next_${name}_${i} = fetch_${name}(sequence, begin + step, ${column});`).join(' ')
  const channels = (names: readonly string[]): string =>
    forItems(channelItems(plan), plan, fetch(names, 'first_channel + place * 4u'))
  const states = (name: string): string => forItems(stateItems(plan), plan, fetch([name], 'place * 4u'))
  const kept = range(plan.channelsPerLane).map((p) => {
    const place = checkpointAt(p, 'interval_of(next, last_interval)', plan)
    return `next_h_${p} = checkpoints[${place}];`
  })
  return `let begin = first_step(next, last_interval);
    ${channels(['u', 'delta'])}
    ${states('b')}
    if (!is_sweep(next)) { ${channels(['z', 'dy'])} ${states('c')} }
    if (next % ${2 * (plan.interval / plan.tile) - 1}u == 0u) { ${kept.join(' ')} }`
}

/** Puts the fetched tile into workgroup memory, and keeps what its gradients are made of. */
function stageTile(plan: ScanPlan): string {
  const channels = forItems(
    channelItems(plan),
    plan,
    (i) => `let beyond = start + step >= params.length;
      let raw = open_delta(next_delta_${i}); let raw_w = exp(-abs(raw));
      let gate = open_z(next_z_${i}); let open = sigmoid(gate, exp(-abs(gate)));
      dt_${i} = select(softplus(raw, raw_w), vec4<f32>(), beyond);
      let dv = select(open_dy(next_dy_${i}) * open, vec4<f32>(), beyond);
      x_${i} = open_u(next_u_${i});
      slope_delta_${i} = sigmoid(raw, raw_w);
      slope_z_${i} = dv * (1.0 + gate * (1.0 - open));
      up_${i} = dv * gate;
      let drive = dt_${i} * x_${i};
      ${stage('dt', `dt_${i}`, plan)} ${stage('drive', 'drive', plan)} ${stage('upstream', `up_${i}`, plan)}`,
  )
  const states = forItems(
    stateItems(plan),
    plan,
    (i) =>
      `${storeMatrix('tile_b', `open_b(next_b_${i})`, plan)} ${storeMatrix('tile_c', `open_c(next_c_${i})`, plan)}`,
  )
  return `${channels}\n${states}`
}

/** Where dB and dC of the tile go: in the group's partial sums, or to be added to those of other lanes. */
function partialRow({wanted}: ScanGradientForm, plan: ScanPlan): string {
  if (wanted === 'parameters') return ''
  const numbers = matrixNumbers(plan)
  return sumsAtOnce(plan)
    ? `let partial_row = ((group.x * groups.y + sequence) * params.length + start) * ${numbers}u;`
    : `let matrix_row = lane / ${plan.width}u * ${plan.tile * numbers}u;`
}
