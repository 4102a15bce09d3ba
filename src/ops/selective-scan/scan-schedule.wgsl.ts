/** In which order the backward scan (selective-scan-backward.wgsl.ts) visits its tiles, and with which states. */
import {type ScanPlan} from './scan-plan.js'
import {range} from './scan-tiles.wgsl.js'

/** The intervals that a workgroup walks. */
export function ownIntervals(divided: boolean, {interval}: ScanPlan): string {
  const last = `(params.length - 1u) / ${interval}u`
  if (!divided) return `let first_interval = 0u; let last_interval = ${last};`
  return `let first_interval = group.z * params.segment_intervals;
  let last_interval = min(first_interval + params.segment_intervals - 1u, ${last});`
}

/** The order of tiles: the intervals from the last to the first; in each, all tiles but the last in order, then all in reverse. */
export function schedule({interval, tile}: ScanPlan): string {
  const tiles = interval / tile
  const turns = 2 * tiles - 1
  return `
fn is_sweep(visit: u32) -> bool { return visit % ${turns}u < ${tiles - 1}u; }
fn interval_of(visit: u32, last_interval: u32) -> u32 { return last_interval - visit / ${turns}u; }
fn first_step(visit: u32, last_interval: u32) -> u32 {
  let turn = visit % ${turns}u;
  return interval_of(visit, last_interval) * ${interval}u + select(${turns - 1}u - turn, turn, turn < ${tiles - 1}u) * ${tile}u;
}`
}

/** Keeps the states before each tile but the last while sweeping, and takes them back on the way back. */
export function intervalStarts({channelsPerLane, interval, lanes, tile}: ScanPlan): string {
  const tiles = interval / tile
  if (tiles === 1) return ''
  const at = (index: string, p: number): string =>
    `starts[((${index}) * ${channelsPerLane}u + ${p}u) * ${lanes}u + lane]`
  const each = (line: (p: number) => string): string => range(channelsPerLane).map(line).join(' ')
  return `if (turn < ${tiles - 1}u) { ${each((p) => `${at('turn', p)} = h_${p};`)} }
    if (turn >= ${tiles}u) { ${each((p) => `h_${p} = ${at(`${2 * tiles - 2}u - turn`, p)};`)} }`
}
