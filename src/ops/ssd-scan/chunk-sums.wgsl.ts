/**
 * Sums over the steps of a chunk, up to each step or from each on: Σ_{i ≤ t} v_i and its like for all t at once. Eights are
 * summed first, then what lies before or behind an eight, so that an invocation adds sixteen numbers instead of sixty-four.
 */
import {BARRIER} from './blocks.js'
import {type SsdPlan} from './ssd-plan.js'

const EIGHT = 8

export interface ChunkSum {
  /** The variable that is added to: Σ v_i over all i with `i over t`, t being the invocation's number */
  readonly to: string
  readonly over: '<' | '<=' | '>' | '>='
  /** Workgroup array v of a number for each step */
  readonly of: string
}

const namesOf = (sums: readonly ChunkSum[]): string[] => [...new Set(sums.map(({of}) => of))]

/** Workgroup memory for sums of these arrays. */
export const declareTotals = (names: readonly string[], {chunk}: SsdPlan): string =>
  names.map((name) => `var<workgroup> ${name}_totals: array<f32, ${chunk / EIGHT}>;`).join('\n')

/** The arrays have been written before a barrier; ends without one. */
export function sumOverChunk(sums: readonly ChunkSum[], {chunk}: SsdPlan): string {
  const names = namesOf(sums)
  return `if (thread < ${chunk}u) {
      ${names.map((name) => `var all_${name} = 0.0;`).join(' ')}
      let start = thread / ${EIGHT}u * ${EIGHT}u;
      for (var i = start; i < start + ${EIGHT}u; i++) {
        ${names.map((name) => `all_${name} += ${name}[i];`).join(' ')}
        ${sums.map(({of, over, to}) => `${to} += select(0.0, ${of}[i], i ${over} thread);`).join(' ')}
      }
      if (thread == start) { ${names.map((name) => `${name}_totals[thread / ${EIGHT}u] = all_${name};`).join(' ')} }
    }
    ${BARRIER}
    if (thread < ${chunk}u) {
      let eight = thread / ${EIGHT}u;
      for (var i = 0u; i < ${chunk / EIGHT}u; i++) {
        ${sums.map(({of, over, to}) => `${to} += select(0.0, ${of}_totals[i], i ${over[0] ?? '<'} eight);`).join(' ')}
      }
    }`
}
