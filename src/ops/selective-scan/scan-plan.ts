/**
 * How the scan is divided on the GPU. A workgroup takes one sequence and a group of channels through all steps (backward
 * also through one of several segments of them: scan-segments.ts). Four
 * neighbouring states of a channel are one vec4 in the registers of a lane; Q lanes side by side hold a channel, and a
 * lane may hold several channels, because B and C are then read, and dB and dC summed, once for all of them. Steps come in
 * tiles, which are staged in workgroup memory.
 *
 * Lane = channel lane · Q + state lane. Channel of the group = p · channel lanes + channel lane for the p-th of a lane.
 */
import {type DeviceFacts} from '../../backend/gpu/shader.js'
import {DeviceError} from '../../errors.js'

/** States in a lane: one vec4. */
export const STATES_PER_LANE = 4

/** Channels that are staged at once. */
export const CHANNELS_PER_ITEM = 4

/** What can be chosen freely; the results are the same up to rounding. */
export interface ScanTuning {
  /** Invocations in a workgroup */
  readonly lanes: number
  readonly channelsPerLane: number
  /** Steps in a tile of the forward pass */
  readonly forwardTile: number
  /** Steps in a tile of the backward pass, which keeps two vec4 for each of them in registers */
  readonly backwardTile: number
  /** Steps between two states that the forward pass keeps: the backward tile, or more of them */
  readonly interval: number
  /** Segments of the backward pass, at most; else as many as the device has use for (scan-segments.ts) */
  readonly segments?: number
}

export interface ScanPlan {
  /** E and N */
  readonly channels: number
  readonly states: number
  /** Q: lanes of a channel, a power of two. 4 Q ≥ N; states beyond N are zero. */
  readonly stateLanes: number
  readonly channelLanes: number
  readonly channelsPerLane: number
  readonly groupChannels: number
  readonly lanes: number
  readonly tile: number
  readonly interval: number
  /** Lanes that sum together, and whether they do it by subgroup shuffles or through workgroup memory */
  readonly width: number
  readonly shuffles: boolean
}

/** The same in all tunings, because forward and backward pass may end with different ones. Segments are whole intervals. */
const INTERVAL = 8

export type Direction = 'forward' | 'backward'

interface Sizes {
  readonly channels: number
  readonly states: number
}

/** Subgroups of fewer lanes are those of processors with few registers for a lane, or of software, which compiles slowly. */
const NARROW = 16
export const isNarrow = ({subgroupSize}: DeviceFacts): boolean => subgroupSize !== null && subgroupSize < NARROW

/**
 * The first of these that the device has workgroup memory for is taken. Measured on an H200 (docs/performance.md): a lane
 * of the backward pass does best with two channels, which halves the sums over channels; forward, more lanes are worth more.
 */
export function tunings(direction: Direction, facts: DeviceFacts): ScanTuning[] {
  const forward = {backwardTile: 8, channelsPerLane: 1, forwardTile: 16, interval: INTERVAL, lanes: 64}
  const small = {...forward, backwardTile: 4, forwardTile: 4, lanes: 32}
  if (isNarrow(facts)) return [small]
  return direction === 'forward' ? [forward, small] : [{...forward, channelsPerLane: 2, lanes: 128}, forward, small]
}

const known = new WeakMap<DeviceFacts, Map<string, ScanPlan>>()

/** Thought out once for each size, because every launch asks for it. */
export function planScan(direction: Direction, sizes: Sizes, facts: DeviceFacts, tuning?: ScanTuning): ScanPlan {
  if (tuning) return newPlan(direction, sizes, facts, tuning)
  let plans = known.get(facts)
  if (!plans) known.set(facts, (plans = new Map<string, ScanPlan>()))
  const key = `${direction} ${sizes.channels} ${sizes.states}`
  let plan = plans.get(key)
  if (!plan) plans.set(key, (plan = newPlan(direction, sizes, facts)))
  return plan
}

function newPlan(direction: Direction, sizes: Sizes, facts: DeviceFacts, tuning?: ScanTuning): ScanPlan {
  const plans = (tuning ? [tuning] : tunings(direction, facts)).flatMap((choice) => [
    dividedBy(choice, direction, sizes, facts.subgroupSize),
    dividedBy(choice, direction, sizes, null),
  ])
  const fits = (plan: ScanPlan): boolean =>
    plan.lanes <= facts.workgroupInvocations && memoryOf(direction, plan) <= facts.workgroupBytes
  const plan = plans.find(fits)
  if (plan) return plan
  const last = plans[plans.length - 1]
  throw new DeviceError(`A scan of ${sizes.states} states a channel does not fit this GPU.`, {
    faults: [
      {
        message: `takes workgroups of ${last.lanes} lanes with ${memoryOf(direction, last)} bytes; this GPU has ${facts.workgroupInvocations} lanes and ${facts.workgroupBytes} bytes`,
        where: `selective scan, ${direction}`,
      },
    ],
    hint: 'Use --device cpu, or add fewer states.',
  })
}

function dividedBy(choice: ScanTuning, direction: Direction, sizes: Sizes, subgroupSize: number | null): ScanPlan {
  const {channels, states} = sizes
  const stateLanes = 2 ** Math.ceil(Math.log2(Math.ceil(states / STATES_PER_LANE)))
  const lanes = Math.max(choice.lanes, stateLanes * CHANNELS_PER_ITEM)
  const channelLanes = lanes / stateLanes
  const shuffles = subgroupSize !== null && subgroupSize >= stateLanes && subgroupSize <= lanes
  return {
    channelLanes,
    channels,
    channelsPerLane: choice.channelsPerLane,
    groupChannels: channelLanes * choice.channelsPerLane,
    interval: choice.interval,
    lanes,
    shuffles,
    stateLanes,
    states,
    tile: direction === 'forward' ? choice.forwardTile : choice.backwardTile,
    width: shuffles ? subgroupSize : lanes,
  }
}

/** Numbers between two steps of what is staged: one more than there are, so that neighbouring steps are in other banks. */
export const stagedStride = ({groupChannels}: ScanPlan): number => groupChannels + 1

/** Numbers between two sums of a channel, which the lanes of a channel store at once, and between two steps of sums. */
export const sumStride = ({channelLanes}: ScanPlan): number => channelLanes + 8
export const sumStepStride = (plan: ScanPlan, sums: number): number => sums * plan.channelsPerLane * sumStride(plan) + 1

/**
 * Backward, a lane holds the four states of a channel in an order of its own: its j-th is state j XOR order, where order
 * is the low bits of its channel lane. Lanes that exchange halves of dB and dC then find them in the same places. So many
 * bits are there, and two are all that four states need.
 */
export const orderBits = ({stateLanes, width}: ScanPlan): number => Math.min(2, Math.log2(width / stateLanes))

/** Workgroups side by side for all channels. */
export const channelGroups = ({channels, groupChannels}: ScanPlan): number => Math.ceil(channels / groupChannels)

/** Sums over states for each step: y forward; the gradients of Δ u and Δ, and y before the gate, backward. */
export const SUMS: Readonly<Record<Direction, number>> = {backward: 3, forward: 1}

/** Bytes of workgroup memory that the shaders declare. */
function memoryOf(direction: Direction, plan: ScanPlan): number {
  const {channelsPerLane, interval, lanes, shuffles, stateLanes, tile, width} = plan
  const staged = direction === 'forward' ? 2 * tile * stagedStride(plan) : 0 // backward among the sums
  const matrices = 2 * tile * stateLanes * STATES_PER_LANE * (direction === 'forward' ? 1 : 2 ** orderBits(plan))
  const perStep = tile * sumStepStride(plan, SUMS[direction])
  const partials =
    direction === 'forward' || lanes === width ? 0 : (lanes / width) * tile * stateLanes * 2 * STATES_PER_LANE
  const starts = direction === 'forward' ? 0 : (interval / tile - 1) * channelsPerLane * lanes * STATES_PER_LANE
  const exchanged = shuffles ? 0 : mostExchanged(plan, SUMS[direction]) * lanes
  return 4 * (staged + matrices + perStep + partials + starts + exchanged)
}

/** Steps whose sums over states are made together, so that each lane ends with as many of them as any other. */
export function stepsTogether({channelsPerLane, interval, stateLanes, tile}: ScanPlan, sums: number): number {
  let steps = 1
  while ((steps * sums * channelsPerLane) % stateLanes !== 0 && steps < Math.min(tile, interval)) steps *= 2
  return steps
}

/** Numbers that a lane gives away at once, at most. */
export function mostExchanged(plan: ScanPlan, sums: number): number {
  const overStates = stepsTogether(plan, sums) * sums * plan.channelsPerLane
  return Math.max(overStates, 2 * STATES_PER_LANE)
}
