/**
 * The selective scan forward (equations: selective-scan.ts) as one shader. Division: scan-plan.ts; tiles: scan-tiles.wgsl.ts.
 *
 * Per tile: Δ, Δ u, B and C go to workgroup memory; every lane takes its states through the steps; the sums over states
 * meet in workgroup memory, and y is made of them four channels at a time, so that all traffic is in whole rows. exp is
 * 2 to the power of, with A multiplied by log₂ e once. Steps beyond the end have Δ = 0 and leave the state as it is.
 */
import {type DeviceFacts, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'
import {
  allChannelsInside,
  channelOf,
  checkpointAt,
  keyOf,
  laneConstants,
  LOG2_E,
  SCAN_PARAMETERS,
  type ScanForm,
  scanRows,
} from './scan-form.wgsl.js'
import {channelGroups, planScan, type ScanPlan, type ScanTuning, stepsTogether} from './scan-plan.js'
import {beginStates, declarePositions, findFirsts, positionSlots, stateBefore} from './scan-sequences.wgsl.js'
import {declareSums, putSums, sumPlaces, sumsAt} from './scan-sums.wgsl.js'
import {
  channelItems,
  declareDrives,
  driveOf,
  fetchRegisters,
  forItems,
  inputChannels,
  inputRows,
  inputStates,
  outputRows,
  outputStates,
  range,
  SOFTPLUS,
  stagedAt,
  stateItems,
  storeDrives,
} from './scan-tiles.wgsl.js'

/** Inputs u, delta, b, c, z, a, d, h0 if there is one, positions if rows are packed; outputs y, last, checkpoints if `recording`. */
export function scanForwardShader(form: ScanForm, recording: boolean, facts: DeviceFacts, tuning?: ScanTuning): Shader {
  const plan = planScan('forward', form, facts, tuning)
  return {
    code: () => forwardCode(form, recording, plan),
    key: keyOf(form, plan, recording),
    name: 'selective scan, forward',
  }
}

export function scanForwardGrid(form: ScanForm, facts: DeviceFacts, tuning?: ScanTuning): Grid {
  return [channelGroups(planScan('forward', form, facts, tuning)), form.batch, 1]
}

function forwardCode(form: ScanForm, recording: boolean, plan: ScanPlan): string {
  const {lanes, shuffles, tile} = plan
  const {h0} = form
  const held = range(plan.channelsPerLane)
  return `${shuffles ? 'enable subgroups;' : ''}
${parameters(SCAN_PARAMETERS)}
${bindings(form, recording, plan)}
${declareDrives(plan)}
var<workgroup> tile_b: array<vec4<f32>, ${tile * plan.stateLanes}>;
var<workgroup> tile_c: array<vec4<f32>, ${tile * plan.stateLanes}>;
${declareSums(plan, 1)}
${SOFTPLUS}

@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
  ${laneConstants(plan)}
  ${sumPlaces(plan, 1)}
  ${held.map((p) => `let rate_${p} = ${LOG2_E} * read_a(0u, ${channelOf(p, plan)}, state_lane);`).join('\n')}
  ${held.map((p) => `var h_${p} = ${h0 ? `read_h0(sequence, ${channelOf(p, plan)}, state_lane)` : 'vec4<f32>()'};`).join('\n')}
  ${declareTile(form, plan)}
  // Each round asks for a tile and works on the one that was asked for the round before.
  for (var next = 0u; next < params.length + ${tile}u; next += ${tile}u) {
    let start = next - ${tile}u;
    if (next > 0u) { ${stageTile(plan)} }
    workgroupBarrier();
    if (next < params.length) { ${fetchTile(plan)} }
    if (next > 0u) {
      ${walkTile(form, recording, plan)}
      workgroupBarrier();
      ${finishTile(plan)}
    }
  }
  ${held.map((p) => `write_last(sequence, ${channelOf(p, plan)}, state_lane, h_${p});`).join('\n')}
}`
}

function bindings(form: ScanForm, recording: boolean, plan: ScanPlan): string {
  const {channels, h0, stored} = form
  const readSlots = h0 ? 8 : 7
  const outputSlot = readSlots + positionSlots(form)
  return [
    ...Object.values(scanRows(form)).map((rows) => inputRows(rows, plan)),
    inputStates({format: 'f32', name: 'a', plan, slot: 5}),
    inputChannels('d', 6, plan),
    h0 ? inputStates({format: h0, name: 'h0', plan, slot: 7}) : '',
    ...declarePositions(form, readSlots, plan),
    outputRows({columns: channels, format: stored, name: 'y', slot: outputSlot}),
    outputStates({name: 'last', plan, slot: outputSlot + 1}),
    recording ? `@group(0) @binding(${outputSlot + 2}) var<storage, read_write> checkpoints: array<vec4<f32>>;` : '',
  ].join('\n')
}

function declareTile(form: ScanForm, plan: ScanPlan): string {
  const {b, c, delta, u, z} = scanRows(form)
  const ofChannels = [u, delta, z].map((rows) => fetchRegisters(rows, channelItems(plan)))
  const ofStates = [b, c].map((rows) => fetchRegisters(rows, stateItems(plan)))
  const made = range(channelItems(plan).perLane).map(
    (i) => `var d_${i}: vec4<f32>; var skip_${i}: vec4<f32>; var gate_${i}: vec4<f32>;`,
  )
  const skips = forItems(channelItems(plan), plan, (i) => `d_${i} = read_d(first_channel + place * 4u);`)
  const begin = beginStates(form, plan, form.h0 ? (p) => `h_${p}` : null)
  return [...begin, ...ofChannels, ...ofStates, ...made, skips].join('\n')
}

/** Asks for the tile that begins at step `next`. */
function fetchTile(plan: ScanPlan): string {
  const fetch = (names: readonly string[], column: string) => (i: number) =>
    names.map((name) => `next_${name}_${i} = fetch_${name}(sequence, next + step, ${column});`).join(' ')
  return [
    forItems(channelItems(plan), plan, fetch(['u', 'delta', 'z'], 'first_channel + place * 4u')),
    forItems(stateItems(plan), plan, fetch(['b', 'c'], 'place * 4u')),
  ].join('\n')
}

/** Puts the fetched tile into workgroup memory; what y is made of besides the sums stays with the lane. */
function stageTile(plan: ScanPlan): string {
  return [
    forItems(
      channelItems(plan),
      plan,
      (i) => `let x = open_u(next_u_${i}); let gate = open_z(next_z_${i});
        let raw = open_delta(next_delta_${i});
        let dt = select(softplus(raw, exp(-abs(raw))), vec4<f32>(), start + step >= params.length);
        let at = ${stagedAt(plan)};
        ${storeDrives('at', 'dt', 'dt * x')}
        skip_${i} = d_${i} * x;
        gate_${i} = gate * sigmoid(gate, exp(-abs(gate)));`,
    ),
    forItems(stateItems(plan), plan, (i) => `tile_b[item] = open_b(next_b_${i}); tile_c[item] = open_c(next_c_${i});`),
  ].join('\n')
}

/** The steps of the tile, some at a time. */
function walkTile(form: ScanForm, recording: boolean, plan: ScanPlan): string {
  const {interval, tile} = plan
  const held = range(plan.channelsPerLane)
  const together = stepsTogether(plan, 1)
  const values = range(together).flatMap((step) => held.map((p) => `y_${step}_${p}`))
  const keep = held.map((p) => {
    const place = checkpointAt(p, `(start + t) / ${interval}u`, plan)
    const store = `checkpoints[${place}] = h_${p};`
    return allChannelsInside(plan) ? store : `if (${channelOf(p, plan)} < ${plan.channels}u) { ${store} }`
  })
  return `let count = min(${tile}u, params.length - start);
  ${findFirsts(form, 'params.length')}for (var t = 0u; t < count; t += ${together}u) {
    ${recording ? `if ((start + t) % ${interval}u == 0u) { ${keep.join('\n')} }` : ''}
    ${range(together)
      .map((step) => walkStep(step, form, plan))
      .join('\n')}
    ${putSums(values, 't', plan, 1)}
  }`
}

function walkStep(step: number, form: ScanForm, plan: ScanPlan): string {
  const at = `t + ${step}u`
  const lines = range(plan.channelsPerLane).map(
    (p) => `{ let drive = ${driveOf(at, p, plan)};
      h_${p} = exp2(drive.x * rate_${p}) * ${stateBefore(form, `h_${p}`, p, at)} + drive.y * b_${step}; }
      let y_${step}_${p} = dot(h_${p}, c_${step});`,
  )
  const matrix = (name: string): string =>
    `let ${name}_${step} = tile_${name}[(${at}) * ${plan.stateLanes}u + state_lane];`
  return [matrix('b'), matrix('c'), ...lines].join('\n')
}

/** y of the tile, from the sums. */
function finishTile(plan: ScanPlan): string {
  const column = 'first_channel + place * 4u'
  return forItems(
    channelItems(plan),
    plan,
    (i) => `put_y(sequence, start + step, ${column}, (${sumsAt(0, 1, plan)} + skip_${i}) * gate_${i});`,
  )
}
