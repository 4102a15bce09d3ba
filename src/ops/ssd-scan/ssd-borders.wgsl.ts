/**
 * Where sequences begin in a chunk of the SSD scan, as the first of its shaders finds out (ssd-sequences.wgsl.ts says what for):
 * `borders` has a bit for each step, which is set where a sequence begins. Where rows are one sequence each, all of this is
 * nothing.
 */
import {type Bounds} from './chunk-sums.wgsl.js'
import {type SsdForm, type SsdPlan} from './ssd-plan.js'

type Packed = Pick<SsdForm, 'packed'>

const WORD = 32

/**
 * `begin_of(t)`: the step of the chunk at which t's sequence begins, −1 where that is before the chunk; `end_of(t)`: the last
 * of its sequence in the chunk. `anew`: whether the chunk's last sequence begins in it.
 */
export function declareBorders({packed}: Packed, {chunk}: SsdPlan): string {
  if (!packed) return ''
  return `var<workgroup> borders: array<atomic<u32>, ${chunk / WORD}>;
var<workgroup> anew: bool;
fn up_to(t: u32) -> u32 { return 0xffffffffu >> (${WORD - 1}u - t % ${WORD}u); }
fn begin_of(t: u32) -> i32 {
  var begin = -1;
  for (var word = 0u; word <= t / ${WORD}u; word++) {
    let marks = atomicLoad(&borders[word]) & select(0xffffffffu, up_to(t), word == t / ${WORD}u);
    if (marks != 0u) { begin = i32(word * ${WORD}u + firstLeadingBit(marks)); }
  }
  return begin;
}
fn end_of(t: u32) -> i32 {
  var end = ${chunk - 1};
  for (var words = ${chunk / WORD}u; words > t / ${WORD}u; words--) {
    let marks = atomicLoad(&borders[words - 1u]) & select(0xffffffffu, ~up_to(t), words - 1u == t / ${WORD}u);
    if (marks != 0u) { end = i32((words - 1u) * ${WORD}u + firstTrailingBit(marks)) - 1; }
  }
  return end;
}
`
}

/** A barrier lies between this and the last use of the borders before, and another behind it. */
export const clearBorders = ({packed}: Packed, {chunk}: SsdPlan): string =>
  packed ? `if (thread < ${chunk / WORD}u) { atomicStore(&borders[thread], 0u); }\n    ` : ''

/** For step t, of number `thread` in the chunk. */
export const markBorder = ({packed}: Packed): string =>
  packed
    ? `
      if (t < params.length && load_positions(sequence * params.length + min(t, params.length - 1u)) == 0) {
        atomicOr(&borders[thread / ${WORD}u], 1u << (thread % ${WORD}u));
      }`
    : ''

/** The rest is for step `thread`, when all are marked. */
export const markedBounds = ({packed}: Packed): Bounds | null =>
  packed ? {first: 'u32(max(begin_of(thread), 0))', last: 'u32(end_of(thread))'} : null

/** Zero where the step's sequence does not go on behind the chunk */
export const unlessEnded = ({packed}: Packed, {chunk}: SsdPlan, value: string): string =>
  packed ? `select(0.0, ${value}, end_of(thread) == ${chunk - 1})` : value

/** What is kept of the step: Δ and s, begin and end. */
export const markedStep = ({packed}: Packed): string =>
  packed ? 'vec4<f32>(dt, sum, f32(begin_of(thread)), f32(end_of(thread)))' : 'vec2<f32>(dt, sum)'

export const noteFirst = ({packed}: Packed): string => (packed ? ' anew = begin_of(thread) >= 0;' : '')
