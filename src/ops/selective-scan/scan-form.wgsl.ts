/** What the shaders of the selective scan have in common besides tiles and sums. */
import {type Format} from '../../backend/gpu/shader.js'
import {type ScanPlan} from './scan-plan.js'
import {type Rows} from './scan-tiles.wgsl.js'

/** What the code is made for. */
export interface ScanForm {
  readonly batch: number
  readonly channels: number
  readonly states: number
  readonly u: Format
  readonly delta: Format
  readonly b: Format
  readonly c: Format
  readonly z: Format
  /** null where the first state is zero */
  readonly h0: Format | null
  /** How y, and the gradients of u, delta and z, are stored */
  readonly stored: Format
  /** Rows hold several sequences (scan-sequences.wgsl.ts). */
  readonly packed?: true
}

/** L, then where the rows of b, c and z lie. */
export const SCAN_PARAMETERS = ['length', 'b_offset', 'b_stride', 'c_offset', 'c_stride', 'z_offset', 'z_stride']

/** The same, then how many intervals a segment has (scan-segments.ts). */
export const SEGMENT_PARAMETERS = [...SCAN_PARAMETERS, 'segment_intervals']

/** The rows that a tile is made of. */
export function scanRows({
  b,
  c,
  channels,
  delta,
  states,
  u,
  z,
}: ScanForm): Record<'u' | 'delta' | 'b' | 'c' | 'z', Rows> {
  return {
    b: {across: 'states', columns: states, format: b, name: 'b', slot: 2, strided: true},
    c: {across: 'states', columns: states, format: c, name: 'c', slot: 3, strided: true},
    delta: {across: 'channels', columns: channels, format: delta, name: 'delta', slot: 1},
    u: {across: 'channels', columns: channels, format: u, name: 'u', slot: 0},
    z: {across: 'channels', columns: channels, format: z, name: 'z', slot: 4, strided: true},
  }
}

/** Names the code by all that it depends on, which the batch is not. */
export function keyOf(form: ScanForm, plan: ScanPlan, ...rest: unknown[]): string {
  return JSON.stringify([{...form, batch: 0}, plan, ...rest])
}

/** Constants of a lane, which every main function begins with. */
export function laneConstants({groupChannels, stateLanes}: ScanPlan): string {
  return `let state_lane = lane % ${stateLanes}u;
  let channel_lane = lane / ${stateLanes}u;
  let sequence = group.y;
  let first_channel = group.x * ${groupChannels}u;`
}

/** The number of channel p of this lane. */
export const channelOf = (p: number, {channelLanes}: ScanPlan): string =>
  `(first_channel + ${p * channelLanes}u + channel_lane)`

/** Whether a group never has channels that there are not. */
export const allChannelsInside = ({channels, groupChannels}: ScanPlan): boolean => channels % groupChannels === 0

/** Where a lane's states of channel p are kept that it had before the first step of an interval; read beyond E, another's. */
export function checkpointAt(p: number, interval: string, plan: ScanPlan): string {
  const row = `sequence * ((params.length - 1u) / ${plan.interval}u + 1u) + ${interval}`
  const channel = channelOf(p, plan)
  const inside = allChannelsInside(plan) ? channel : `min(${channel}, ${plan.channels - 1}u)`
  return `((${row}) * ${plan.channels}u + ${inside}) * ${plan.stateLanes}u + state_lane`
}

export const LOG2_E = '1.4426950408889634'
