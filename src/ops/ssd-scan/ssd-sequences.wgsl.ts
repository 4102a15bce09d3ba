/**
 * Rows that hold several sequences, in the shaders of the SSD scan. Where a sequence begins within a chunk, the steps before
 * are nothing to those behind, and the state before it is h0 instead of S, the state before the chunk:
 *
 * - s_t is summed from the first step of t's sequence in the chunk on, and e_rt is zero unless r and t are of one sequence;
 * - only the chunk's last sequence leaves it, and only steps of a sequence that goes on from before see S; the others see h0.
 *
 * What is needed for that is kept beside Δ and s of each step: `begin`, the step of the chunk at which its sequence begins,
 * −1 where that is before the chunk; and `end`, the last of its sequence in the chunk. Decays across borders are never made:
 * they are chosen to be zero. Where rows are one sequence each, all of this is nothing, and the code is as it would be without.
 */
import {type Bounds} from './chunk-sums.wgsl.js'
import {type SsdForm, type SsdPlan} from './ssd-plan.js'
import {type Declaration, single, states} from './ssd-tensors.wgsl.js'

type Packed = Pick<SsdForm, 'packed'>

/** Numbers that are kept of each step: Δ, s and, where rows are packed, begin and end. */
export const stepNumbers = ({packed}: Packed): 2 | 4 => (packed ? 4 : 2)
export const stepType = (form: Packed): string => `vec${stepNumbers(form)}<f32>`

/** Whether sequences within chunks begin with a state that is not zero. */
export const beginsAnew = ({h0, packed}: SsdForm): boolean => packed === true && h0 !== null

export const positionsOf = ({packed}: Packed): Declaration[] => (packed ? [single('positions', 'i32')] : [])

/** h0 for shaders that need it within chunks only */
export const firstStates = (form: SsdForm): Declaration[] =>
  form.packed && form.h0 ? [states({format: form.h0, name: 'h0'}, {...form, eights: false})] : []

/** A value that is zero unless the condition holds, where rows are packed */
const onlyIf = ({packed}: Packed, condition: string, value: string): string =>
  packed ? `select(0.0, ${value}, ${condition})` : value

/** Workgroup memory for begin and end of each step, and its filling with what is kept of a `step`. */
export const declareSequences = ({packed}: Packed, {chunk}: SsdPlan): string =>
  packed ? `var<workgroup> begins: array<f32, ${chunk}>;\nvar<workgroup> ends: array<f32, ${chunk}>;\n` : ''
export const loadSequences = ({packed}: Packed): string =>
  packed ? '\n      begins[thread] = step.z; ends[thread] = step.w;' : ''

/** Behind `r <= t` */
export const andOneSequence = ({packed}: Packed, r: string, t: string): string =>
  packed ? ` && begins[${r}] == begins[${t}]` : ''

/** `condition` for four t at once, and the same */
export const forOneSequence = ({packed}: Packed, condition: string, r: string, t: string): string => {
  const begins = [0, 1, 2, 3].map((lane) => `begins[${t} + ${lane}u]`).join(', ')
  return packed ? `(${condition}) & (vec4<f32>(${begins}) == vec4<f32>(begins[${r}]))` : condition
}

/** What step t has of the state before the chunk, and of h0; `begin` is that of t. */
export const ofBefore = (form: Packed, begin: string, value: string): string => onlyIf(form, `${begin} < 0.0`, value)
export const ofFirst = (form: Packed, begin: string, value: string): string => onlyIf(form, `${begin} >= 0.0`, value)

/** What of a step leaves the chunk; `end` is that of the step. */
export const leaving = (form: Packed, end: string, {chunk}: SsdPlan, value: string): string =>
  onlyIf(form, `${end} == ${chunk - 1}.0`, value)

/** exp(s_Q − s_r), which is a decay for steps that leave the chunk; for others it is a number that `leaving` passes over. */
export const decayToEnd = ({packed}: Packed, end: string, sum: string): string =>
  packed ? `exp(min(${end} - ${sum}, 0.0))` : `exp(${end} - ${sum})`

/** Those of step `thread`. */
export const boundsOf = ({packed}: Packed): Bounds | null =>
  packed ? {first: 'u32(max(begins[thread], 0.0))', last: 'u32(ends[thread])'} : null

/** Names the first state, which registers of this name hold, in registers `first_<slot>`. */
export const nameFirst = (form: SsdForm, slots: readonly number[], held: string): string =>
  beginsAnew(form) ? `  ${slots.map((slot) => `let first_${slot} = ${held}_${slot};`).join(' ')}\n` : ''

/** The state that the chunk's last sequence has before it, or before the chunk */
export function orFirst(form: SsdForm, slot: number, state: string): string {
  if (!form.packed) return state
  return `select(${state}, ${beginsAnew(form) ? `first_${slot}` : 'vec4<f32>()'}, anew)`
}
