/**
 * The scan's sums over states: one or several kinds for each step and channel. They are made by the lanes of a channel
 * (lane-sums.wgsl.ts), for some steps together, and meet in workgroup memory as `sums`: step, kind, p, channel lane.
 */
import {
  bitsBetween,
  type Exchange,
  firstHolder,
  firstSum,
  laneSums,
  memoryExchange,
  shuffleExchange,
} from './lane-sums.wgsl.js'
import {mostExchanged, type ScanPlan, stepsTogether, sumStepStride, sumStride} from './scan-plan.js'
import {range, readFour} from './scan-tiles.wgsl.js'

/** How the plan's lanes exchange values; `kinds` of sums over states at each step. */
export function exchangeOf(plan: ScanPlan, kinds: number): Exchange {
  return plan.shuffles ? shuffleExchange : memoryExchange(plan.lanes, mostExchanged(plan, kinds))
}

/** `sums`, and what the exchange needs. */
export function declareSums(plan: ScanPlan, kinds: number): string {
  return `var<workgroup> sums: array<f32, ${plan.tile * sumStepStride(plan, kinds)}>;
${exchangeOf(plan, kinds).declarations}`
}

const valuesTogether = (plan: ScanPlan, kinds: number): number =>
  stepsTogether(plan, kinds) * kinds * plan.channelsPerLane

/** Where in `sums` a lane's sums go, counted from the first of the steps that are summed together. */
export function sumPlaces(plan: ScanPlan, kinds: number): string {
  const values = valuesTogether(plan, kinds)
  const masks = bitsBetween(1, plan.stateLanes)
  const perStep = kinds * plan.channelsPerLane
  const count = laneSums('', Array<string>(values).fill(''), masks, shuffleExchange).results.length
  const places = range(count).map(
    (j) => `let sum_place_${j} = (sum_first + ${j}u) / ${perStep}u * ${sumStepStride(plan, kinds)}u
      + (sum_first + ${j}u) % ${perStep}u * ${sumStride(plan)}u + channel_lane;`,
  )
  return `let sum_first = ${firstSum(values, masks)};
  let sum_holder = ${firstHolder(values, masks)};
  ${places.join('\n')}`
}

/** Sums `values` (step, kind, p) over the states and puts them into `sums`, from the step `first` on. */
export function putSums(values: readonly string[], first: string, plan: ScanPlan, kinds: number): string {
  const {code, results} = laneSums('s', values, bitsBetween(1, plan.stateLanes), exchangeOf(plan, kinds))
  const stores = results.map((sum, j) => `sums[(${first}) * ${sumStepStride(plan, kinds)}u + sum_place_${j}] = ${sum};`)
  return `{ ${code}\nif (sum_holder) { ${stores.join(' ')} } }`
}

/** Where the numbers of one kind are at `step` for the four channels of `place`. */
export function fourPlaces(kind: number, kinds: number, plan: ScanPlan): string {
  const {channelLanes, channelsPerLane} = plan
  const p = `place * 4u / ${channelLanes}u`
  return `step * ${sumStepStride(plan, kinds)}u + (${kind * channelsPerLane}u + ${p}) * ${sumStride(plan)}u + place * 4u % ${channelLanes}u`
}

export const sumsAt = (kind: number, kinds: number, plan: ScanPlan): string =>
  readFour('sums', fourPlaces(kind, kinds, plan))

/** The number of one kind at a step for channel p of a lane. */
export const numberAt = (kind: number, kinds: number, step: string, p: number, plan: ScanPlan): string =>
  `sums[(${step}) * ${sumStepStride(plan, kinds)}u + ${(kind * plan.channelsPerLane + p) * sumStride(plan)}u + channel_lane]`
