/**
 * How the processor kernels divide channels into work items. The division depends on the shape alone, never on the
 * number of threads, so that sums over channels have the same bits on every machine with the same instructions.
 */

const GROUPS = 8

export interface ChannelGroups {
  /** Channels in a group, a multiple of the vector width 4. */
  readonly group: number
  readonly groups: number
}

export function channelGroup(channels: number): ChannelGroups {
  const group = 4 * Math.ceil(channels / GROUPS / 4)
  return {group, groups: Math.ceil(channels / group)}
}
