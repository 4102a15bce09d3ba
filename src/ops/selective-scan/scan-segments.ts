/**
 * Into how many segments of steps the backward scan is divided, which are then worked on at once. Where few sequences and
 * channels make few workgroups, they wait for memory and for each other's steps most of the time, on a part of the GPU.
 * Divided, steps are gone through once more, lightly (scan-carries.wgsl.ts): undivided is best where groups are many.
 */
import {type DeviceFacts} from '../../backend/gpu/shader.js'
import {channelGroups, isNarrow, type ScanPlan, type ScanTuning} from './scan-plan.js'

export interface ScanSegments {
  readonly count: number
  /** Intervals of a segment; the last one may have fewer. */
  readonly intervals: number
}

/**
 * Workgroups of the backward pass that fill a GPU. WebGPU does not tell how many multiprocessors there are; a large GPU of
 * 132 holds two each, and the third round of work evens out what they wait for (measured: docs/performance.md).
 */
const ENOUGH_WORKGROUPS = 384

/** Every segment reads the carries of all behind it, and more of them are of no use to a GPU that large. */
const MOST_SEGMENTS = 4

/** Below, what a workgroup does before its first step and after its last one outweighs what the division saves. */
const STEPS_OF_SEGMENT = 256

interface Work {
  readonly batch: number
  readonly length: number
}

/** `plan` is that of the backward pass. */
export function segmentsOf(work: Work, plan: ScanPlan, facts: DeviceFacts, tuning?: ScanTuning): ScanSegments {
  const all = Math.max(1, Math.ceil(work.length / plan.interval))
  const wanted = Math.min(tuning?.segments ?? chosen(work, plan, facts), all)
  const intervals = Math.ceil(all / wanted)
  return {count: Math.ceil(all / intervals), intervals}
}

function chosen({batch, length}: Work, plan: ScanPlan, facts: DeviceFacts): number {
  if (isNarrow(facts)) return 1
  const useful = Math.floor(ENOUGH_WORKGROUPS / (channelGroups(plan) * batch))
  return Math.max(1, Math.min(useful, MOST_SEGMENTS, Math.floor(length / STEPS_OF_SEGMENT)))
}
