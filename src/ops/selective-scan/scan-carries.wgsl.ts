/**
 * What each segment of steps hands back to the one before it, so that the backward scan (selective-scan-backward.wgsl.ts)
 * can work on all segments at once. G is linear in what comes from behind: with G = 0 behind the segment of steps s … e,
 *
 *   local = a_s G_s, of   G_t = C_t dv_t + a_{t+1} G_{t+1}        decay = Π_t a_t = exp(A Σ_t Δ_t)
 *
 * the segment hands back local + decay · what it is handed. Steps are walked from the last to the first as in the forward
 * pass, with its division: there is nothing to sum and little in registers, so lanes are worth more than in the backward.
 */
import {type DeviceFacts, type Format, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'
import {channelOf, keyOf, laneConstants, LOG2_E, type ScanForm, scanRows, SEGMENT_PARAMETERS} from './scan-form.wgsl.js'
import {channelGroups, planScan, type ScanPlan, type ScanTuning} from './scan-plan.js'
import {declarePositions, findFirsts, isFirst, positionSlots} from './scan-sequences.wgsl.js'
import {
  channelItems,
  declareDrives,
  driveOf,
  fetchRegisters,
  forItems,
  inputRows,
  inputStates,
  outputStates,
  range,
  type Rows,
  SOFTPLUS,
  stagedAt,
  stateItems,
  storeDrives,
} from './scan-tiles.wgsl.js'

export interface ScanCarriesForm extends ScanForm {
  readonly dy: Format
  /** null where nothing used `last` */
  readonly dLast: Format | null
}

/**
 * Inputs delta, c, z, a, dy, dLast if there is one, positions if rows are packed. Output carries (2 S − 1, B, E, N): for segment 0 … S − 1 what comes from
 * behind it with nothing behind that (`local` of the next one; dLast or zero for the last), then for segment 0 … S − 2
 * `decay` of the next one.
 */
export function scanCarriesShader(form: ScanCarriesForm, facts: DeviceFacts, tuning?: ScanTuning): Shader {
  const plan = planScan('forward', form, facts, tuning)
  return {code: () => carriesCode(form, plan), key: keyOf(form, plan), name: 'selective scan, carries'}
}

/** All segments but the first, to which none is before. */
export function scanCarriesGrid(
  form: ScanCarriesForm,
  segments: number,
  facts: DeviceFacts,
  tuning?: ScanTuning,
): Grid {
  return [channelGroups(planScan('forward', form, facts, tuning)), form.batch, segments - 1]
}

function carriesCode(form: ScanCarriesForm, plan: ScanPlan): string {
  const {interval, lanes, tile} = plan
  return `${parameters(SEGMENT_PARAMETERS)}
${bindings(form, plan)}
${declareDrives(plan)}
var<workgroup> tile_c: array<vec4<f32>, ${tile * plan.stateLanes}>;
${SOFTPLUS}

@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  ${laneConstants(plan)}
  ${laneVariables(form, plan)}
  let first = (group.z + 1u) * params.segment_intervals * ${interval}u;
  let end = min(first + params.segment_intervals * ${interval}u, params.length);
  let tiles = (end - first + ${tile - 1}u) / ${tile}u;
  // Each round asks for a tile and works on the one that was asked for the round before.
  for (var next = 0u; next <= tiles; next++) {
    let start = first + (tiles - next) * ${tile}u;
    if (next > 0u) { ${stageTile(plan)} }
    workgroupBarrier();
    if (next < tiles) { ${fetchTile(plan)} }
    if (next > 0u) {
      ${findFirsts(form, 'end')}${walkTile(form, plan)}
      workgroupBarrier();
    }
  }
  ${writeCarries(form, plan)}
}`
}

/** Of the rows that a tile is made of, those that G depends on, in the order of the bindings. */
function rowsOf(form: ScanCarriesForm): Record<'c' | 'delta' | 'dy' | 'z', Rows> {
  const {c, delta, z} = scanRows(form)
  return {
    c: {...c, slot: 1},
    delta: {...delta, slot: 0},
    dy: {across: 'channels', columns: form.channels, format: form.dy, name: 'dy', slot: 4},
    z: {...z, slot: 2},
  }
}

function bindings(form: ScanCarriesForm, plan: ScanPlan): string {
  const {dLast} = form
  const readSlots = dLast ? 6 : 5
  return [
    ...Object.values(rowsOf(form)).map((rows) => inputRows(rows, plan)),
    inputStates({format: 'f32', name: 'a', plan, slot: 3}),
    dLast ? inputStates({format: dLast, name: 'dlast', plan, slot: 5}) : '',
    ...declarePositions(form, readSlots, plan),
    outputStates({name: 'carries', plan, slot: readSlots + positionSlots(form)}),
  ].join('\n')
}

function laneVariables(form: ScanCarriesForm, plan: ScanPlan): string {
  const {c, delta, dy, z} = rowsOf(form)
  const ofChannel = (p: number): string => `let rate_${p} = ${LOG2_E} * read_a(0u, ${channelOf(p, plan)}, state_lane);
    var carry_${p}: vec4<f32>; var total_${p} = 0.0;`
  return [
    ...(form.packed ? ['var is_one = true; // one sequence goes through all of the segment'] : []),
    ...range(plan.channelsPerLane).map(ofChannel),
    ...[delta, z, dy].map((rows) => fetchRegisters(rows, channelItems(plan))),
    fetchRegisters(c, stateItems(plan)),
  ].join('\n')
}

/** Asks for the tile before `start`. */
function fetchTile(plan: ScanPlan): string {
  const fetch = (names: readonly string[], column: string) => (i: number) =>
    names
      .map((name) => `next_${name}_${i} = fetch_${name}(sequence, start - ${plan.tile}u + step, ${column});`)
      .join(' ')
  return [
    forItems(channelItems(plan), plan, fetch(['delta', 'z', 'dy'], 'first_channel + place * 4u')),
    forItems(stateItems(plan), plan, fetch(['c'], 'place * 4u')),
  ].join('\n')
}

/** Puts Δ, dv and C of the fetched tile into workgroup memory; steps beyond the segment leave the carry as it is. */
function stageTile(plan: ScanPlan): string {
  const channels = forItems(
    channelItems(plan),
    plan,
    (i) => `let beyond = start + step >= end;
      let raw = open_delta(next_delta_${i}); let gate = open_z(next_z_${i});
      let dt = select(softplus(raw, exp(-abs(raw))), vec4<f32>(), beyond);
      let dv = select(open_dy(next_dy_${i}) * gate * sigmoid(gate, exp(-abs(gate))), vec4<f32>(), beyond);
      let at = ${stagedAt(plan)};
      ${storeDrives('at', 'dt', 'dv')}`,
  )
  return `${channels}\n${forItems(stateItems(plan), plan, (i) => `tile_c[item] = open_c(next_c_${i});`)}`
}

/** From the last step to the first, written out, so that what a step reads is asked for before the steps behind it end. */
function walkTile({packed}: ScanCarriesForm, plan: ScanPlan): string {
  const handOn = (t: number, p: number): string =>
    packed ? ` if (${isFirst(`${t}u`)}) { carry_${p} = vec4<f32>(); is_one = false; }` : ''
  const ofChannel = (t: number) => (p: number) =>
    `{ let drive = ${driveOf(`${t}u`, p, plan)};
      carry_${p} = exp2(drive.x * rate_${p}) * (carry_${p} + c * drive.y);
      total_${p} += drive.x;${handOn(t, p)} }`
  const ofStep = (t: number): string => `{ let c = tile_c[${t * plan.stateLanes}u + state_lane];
    ${range(plan.channelsPerLane).map(ofChannel(t)).join('\n')} }`
  return range(plan.tile).reverse().map(ofStep).join('\n')
}

/** The workgroups of the last segment also write what is behind it. */
function writeCarries({dLast, packed}: ScanCarriesForm, plan: ScanPlan): string {
  const ofChannel = (p: number): string => {
    const at = `${channelOf(p, plan)}, state_lane`
    const decay = `exp2(rate_${p} * total_${p})`
    const last = dLast ? `read_dlast(sequence, ${at})` : 'vec4<f32>()'
    return `write_carries(group.z * groups.y + sequence, ${at}, carry_${p});
      write_carries((segments + group.z) * groups.y + sequence, ${at}, ${packed ? `select(vec4<f32>(), ${decay}, is_one)` : decay});
      if (group.z + 2u == segments) { write_carries((segments - 1u) * groups.y + sequence, ${at}, ${last}); }`
  }
  return `let segments = groups.z + 1u;
  ${range(plan.channelsPerLane).map(ofChannel).join('\n')}`
}
