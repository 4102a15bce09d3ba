/** What the backward scan writes (equations: selective-scan-backward.wgsl.ts): of each tile, and at the end. */
import {channelOf, type ScanForm} from './scan-form.wgsl.js'
import {type ScanPlan} from './scan-plan.js'
import {sumsAt} from './scan-sums.wgsl.js'
import {channelItems, forItems, range} from './scan-tiles.wgsl.js'
import {KINDS, matrixNumbers, sumsAtOnce, type Wanted} from './scan-walk-back.wgsl.js'

const LN_2 = '0.6931471805599453'

/** The gradients of a tile that has been walked back, from the sums. */
export function finishTile(wanted: Wanted, plan: ScanPlan): string {
  if (wanted === 'parameters') {
    const sum = (i: number): string => `d_skip += up_${i} * x_${i};`
    return forItems(channelItems(plan), plan, sum)
  }
  const column = 'first_channel + place * 4u'
  const gradients = forItems(
    channelItems(plan),
    plan,
    (i) => `let dx = ${sumsAt(0, KINDS, plan)};
      let dt = ${LN_2} * ${sumsAt(1, KINDS, plan)} + dx * x_${i};
      let value = ${sumsAt(2, KINDS, plan)} + d_${i} * x_${i};
      put_du(sequence, start + step, ${column}, dx * dt_${i} + d_${i} * up_${i});
      put_ddelta(sequence, start + step, ${column}, dt * slope_delta_${i});
      put_dz(sequence, start + step, ${column}, value * slope_z_${i});`,
  )
  return sumsAtOnce(plan) ? gradients : `${gradients}\n${putPartials(plan)}`
}

/** This group's dB and dC: (groups, B, L, state lane, matrix, state of the lane). */
function putPartials(plan: ScanPlan): string {
  const {lanes, tile, width} = plan
  const numbers = matrixNumbers(plan)
  const parts = range(lanes / width).map((i) => `matrix_sums[${i * tile * numbers}u + item]`)
  return `for (var item = lane; item < ${tile * numbers}u; item += ${lanes}u) {
    let step = start + item / ${numbers}u;
    if (step < params.length) {
      partials[((group.x * groups.y + sequence) * params.length + step) * ${numbers}u + item % ${numbers}u] = ${parts.join(' + ')};
    }
  }`
}

/**
 * dH0: what is carried beyond the first step, which is in the first segment; of packed rows, what each segment has of it,
 * segments first.
 */
export function firstStates({packed}: ScanForm, plan: ScanPlan): string {
  if (packed) {
    const parts = range(plan.channelsPerLane).map((p) => {
      const sum = `d_begin_${p} + select(vec4<f32>(), carry_${p}, group.z == 0u)`
      return `write_dh0(group.z * groups.y + sequence, ${channelOf(p, plan)}, state_lane, ordered(${sum}, order));`
    })
    return parts.join('\n')
  }
  const writes = range(plan.channelsPerLane).map(
    (p) => `write_dh0(sequence, ${channelOf(p, plan)}, state_lane, ordered(carry_${p}, order));`,
  )
  return `if (group.z == 0u) { ${writes.join('\n')} }`
}

/** dA and dD of this segment of this sequence. Lanes that are a step's items apart hold the same channels. */
export function parameterSums(plan: ScanPlan): string {
  const {perStep} = channelItems(plan)
  const rates = range(plan.channelsPerLane).map(
    (p) => `write_da(sums_row, ${channelOf(p, plan)}, state_lane, ordered(d_rate_${p}, order));`,
  )
  return `let sums_row = group.z * groups.y + sequence;
  ${rates.join('\n')}
  skips[lane] = d_skip;
  workgroupBarrier();
  if (lane < ${perStep}u) {
    var total: vec4<f32>;
    for (var other = lane; other < ${plan.lanes}u; other += ${perStep}u) { total += skips[other]; }
    for (var i = 0u; i < 4u; i++) {
      let channel = first_channel + lane * 4u + i;
      if (channel < ${plan.channels}u) { dd[sums_row * ${plan.channels}u + channel] = total[i]; }
    }
  }`
}
