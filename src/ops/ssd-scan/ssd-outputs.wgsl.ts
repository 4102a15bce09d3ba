/**
 * y of the SSD scan, from the states before the chunks (Dao and Gu, section 6, steps 1 and 4). With s and S as in
 * ssd-states.wgsl.ts:
 *
 *   y_t = Σ_{r ≤ t} exp(s_t − s_r) Δ_r (C_t · B_r) x_r + exp(s_t) S C_t + D x_t
 *
 * A workgroup takes a chunk and a few heads of one group, which share C Bᵀ; it stays in registers meanwhile.
 */
import {type DeviceFacts, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {type Area, BARRIER, type Factor, type Factors, product, whole} from './blocks.js'
import {planSsd, type SsdForm, type SsdPlan, termsOf} from './ssd-plan.js'
import {channelRows, eachRead, firstRows, from, matrixRows, stateRows, writeSlots} from './ssd-rows.wgsl.js'
import {
  andOneSequence,
  beginsAnew,
  declareSequences,
  firstStates,
  loadSequences,
  ofBefore,
  ofFirst,
  stepType,
} from './ssd-sequences.wgsl.js'
import {
  array,
  constants,
  entry,
  groupOf,
  inOrder,
  keyOf,
  ofChannels,
  states,
  stepAt,
  strided,
} from './ssd-tensors.wgsl.js'

/** x, b, c, d, states, steps, h0 if sequences begin with one within chunks → y (B, L, E) */
export function ssdOutputsShader(form: SsdForm, facts: DeviceFacts): Shader {
  const plan = planSsd(form, facts)
  return {
    code: () => outputsCode(form, plan),
    key: keyOf(form, plan),
    name: 'SSD scan, outputs',
  }
}

/** Also the grid of the gradients within chunks. */
export function ssdChunksGrid({heads}: SsdForm, {together}: SsdPlan, chunks: number, batch: number): Grid {
  return [chunks, heads / together, batch]
}

/** A workgroup's chunk and heads. */
export const chunkOrigin = (form: SsdForm, {chunk, together}: SsdPlan): string => `let chunk = group.x;
  let first = chunk * ${chunk}u;
  let first_head = group.y * ${together}u;
  let channel_group = ${groupOf(form).replace('head', 'first_head')};`

/** Δ and s of a head's chunk in workgroup memory. */
export const loadSteps = (form: SsdForm, plan: SsdPlan): string => `${BARRIER}
    if (thread < ${plan.chunk}u) {
      let step = steps[${stepAt('thread', form, plan)}];
      sizes[thread] = step.x;
      sums[thread] = step.y;
      later[thread] = select(NOTHING_LEFT, step.y, first + thread < params.length);${loadSequences(form)}
    }
    ${BARRIER}`

/** `later` is s of the step that a dy belongs to; its exp is zero beyond the last step, where there is none. */
export const declareSteps = (
  form: SsdForm,
  plan: SsdPlan,
): string => `${declareSequences(form, plan)}var<workgroup> sizes: array<f32, ${plan.chunk}>;
var<workgroup> sums: array<f32, ${plan.chunk}>;
var<workgroup> later: array<f32, ${plan.chunk}>;
const NOTHING_LEFT = -1e30;`

function outputsCode(form: SsdForm, plan: SsdPlan): string {
  const {block, blocks, chunk, together} = plan
  const {each} = blocks
  const square: Area = {columns: chunk, rows: chunk}
  const result: Area = {columns: block.rows, rows: chunk}
  const scores = product(blocks, 'score', square, {
    left: {along: true, ...stateRows('c', form)},
    right: {along: true, ...stateRows('b', form)},
    terms: termsOf(form.states),
  })
  const value = product(blocks, 'y', result, ...outputParts(form, plan))
  const weigh = (slot: number): string => {
    const lanes = [0, 1, 2, 3].map((lane) => weight('row', `column + ${lane}u`))
    return `weighted_${slot} = score_${slot} * vec4<f32>(${lanes.join(', ')});`
  }
  return `${blocks.enables}
${constants(plan)}
${inOrder([
  strided('x', form),
  strided('b', form),
  strided('c', form),
  array('d'),
  states({format: plan.kept, name: 'states'}, form),
  array('steps', stepType(form)),
  ...firstStates(form),
  ofChannels('y', form.stored, form, true),
])}
${blocks.declare([square, result], square)}
${declareSteps(form, plan)}
// exp(s_t − s_r) Δ_r for r ≤ t, else 0
fn weight(t: u32, r: u32) -> f32 { return select(0.0, exp(min(sums[t] - sums[r], 0.0)) * sizes[r], r <= t${andOneSequence(form, 'r', 't')}); }

${entry(plan)}
  ${chunkOrigin(form, plan)}
  ${whole(scores)}
  for (var head = first_head; head < first_head + ${together}u; head++) {
    ${loadSteps(form, plan)}
    ${blocks
      .slots(square)
      .map((slot) => `var weighted_${slot} = vec4<f32>();`)
      .join(' ')}
    ${each(square, weigh)}
    ${blocks.keep('weighted', square)}
    for (var first_p = 0u; first_p < ${form.size}u; first_p += ${block.rows}u) {
      ${whole(value)}
      ${eachRead(plan, result, from('first_p', channelRows('x', form)), (slot, x) => `y_${slot} += d[head] * ${x};`)}
      ${writeSlots(plan, result, form, {format: form.stored, name: 'y', place: channelPlace(form)}, 'y')}
    }
  }
}`
}

/** From the chunk's own steps, from the state before it, and from first states within it */
function outputParts(form: SsdForm, plan: SsdPlan): Factors[] {
  const terms = termsOf(form.states)
  const left = (scale: typeof ofBefore): Factor => ({
    along: true,
    ...stateRows('c', form),
    scale: (t) => scale(form, `begins[${t}]`, `exp(sums[${t}])`),
  })
  return [
    {left: 'kept', right: {along: false, ...from('first_p', channelRows('x', form))}, terms: plan.chunk},
    {left: left(ofBefore), right: {along: true, ...matrixRows('states', form, plan)}, terms},
    ...(beginsAnew(form) ? [{left: left(ofFirst), right: {along: true, ...firstRows(form)}, terms}] : []),
  ]
}

const weight = (t: string, r: string): string => `weight(${t}, ${r})`

/** Where a slot of a head's channels is written, in arguments of `write_…` */
export const channelPlace = ({size}: SsdForm): string =>
  `sequence, first + row, head * ${size}u + first_p + column, (head + 1u) * ${size}u`
