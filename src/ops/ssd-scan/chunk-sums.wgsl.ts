/**
 * Sums over the steps of a chunk, up to each step or from each on: Σ_{i ≤ t} v_i and its like for all t at once. Eights are
 * summed first, then what lies before or behind an eight, so that an invocation adds sixteen numbers instead of sixty-four.
 *
 * Where a chunk holds several sequences (ssd-sequences.wgsl.ts), sums end at the bounds of t's. An eight in which the sequence
 * begins or ends is then added number by number, so that a sum has no part of another sequence that would be taken away again.
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

/** The first and last step of the sequence of step `thread` within the chunk: expressions of u32. */
export interface Bounds {
  readonly first: string
  readonly last: string
}

/** The arrays have been written before a barrier; ends without one. `bounds` where a chunk may hold several sequences. */
export function sumOverChunk(sums: readonly ChunkSum[], plan: SsdPlan, bounds: Bounds | null = null): string {
  return bounds ? sumOverSequences(sums, plan, bounds) : sumOverAll(sums, plan)
}

function sumOverAll(sums: readonly ChunkSum[], {chunk}: SsdPlan): string {
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

function sumOverSequences(sums: readonly ChunkSum[], {chunk}: SsdPlan, {first, last}: Bounds): string {
  const names = namesOf(sums)
  const inBounds = `let bound_first = ${first}; let bound_last = ${last};`
  const before = sums.filter(({over}) => over.startsWith('<'))
  const behind = sums.filter(({over}) => over.startsWith('>'))
  const edge = (of: readonly ChunkSum[], condition: string, from: string, end: string): string =>
    of.length === 0
      ? ''
      : `if (${condition}) {
        for (var i = ${from}; i < ${end}; i++) { ${of.map(({of: name, to}) => `${to} += ${name}[i];`).join(' ')} }
      }`
  return `if (thread < ${chunk}u) {
      ${inBounds}
      ${names.map((name) => `var all_${name} = 0.0;`).join(' ')}
      let start = thread / ${EIGHT}u * ${EIGHT}u;
      for (var i = start; i < start + ${EIGHT}u; i++) {
        let inside = i >= bound_first && i <= bound_last;
        ${names.map((name) => `all_${name} += ${name}[i];`).join(' ')}
        ${sums.map(({of, over, to}) => `${to} += select(0.0, ${of}[i], inside && i ${over} thread);`).join(' ')}
      }
      if (thread == start) { ${names.map((name) => `${name}_totals[thread / ${EIGHT}u] = all_${name};`).join(' ')} }
    }
    ${BARRIER}
    if (thread < ${chunk}u) {
      ${inBounds}
      let eight = thread / ${EIGHT}u;
      for (var i = 0u; i < ${chunk / EIGHT}u; i++) {
        let inside = i * ${EIGHT}u >= bound_first && i * ${EIGHT}u + ${EIGHT - 1}u <= bound_last;
        ${sums.map(({of, over, to}) => `${to} += select(0.0, ${of}_totals[i], inside && i ${over[0] ?? '<'} eight);`).join(' ')}
      }
      ${edge(before, `bound_first % ${EIGHT}u != 0u && bound_first / ${EIGHT}u < eight`, 'bound_first', `(bound_first / ${EIGHT}u + 1u) * ${EIGHT}u`)}
      ${edge(behind, `(bound_last + 1u) % ${EIGHT}u != 0u && bound_last / ${EIGHT}u > eight`, `bound_last / ${EIGHT}u * ${EIGHT}u`, 'bound_last + 1u')}
    }`
}
