/**
 * The gradients G of the states behind chunks, from the last chunk to the first. With s and S as in ssd-states.wgsl.ts, and G
 * behind the last chunk the gradient of the last state, G behind the chunk before is
 *
 *   exp(s_Q) G + Σ_t exp(s_t) dy_t C_tᵀ
 *
 * and before the first chunk it is dH0. `through` is exp(s_Q) ⟨G, S⟩: what all decays of the chunk get from the states that
 * pass through it. Division as in ssd-states.wgsl.ts.
 *
 * Where a sequence begins within the chunk (ssd-sequences.wgsl.ts), the state before the chunk is not what its end has: then
 * exp(s_Q) G goes to dH0, with Σ exp(s_t) dy_t C_tᵀ over the steps of all sequences that begin there, and S in `through` is h0.
 */
import {type DeviceFacts, type Format, type Shader} from '../../backend/gpu/shader.js'
import {BARRIER, product, type Steps, whole} from './blocks.js'
import {planSsd, type SsdForm, type SsdPlan} from './ssd-plan.js'
import {blockOrigin} from './ssd-states.wgsl.js'
import {channelRows, eachRead, from, matrixRows, stateRows, writeSlots} from './ssd-rows.wgsl.js'
import {beginsAnew, firstStates, nameFirst, ofBefore, ofFirst, orFirst, stepType} from './ssd-sequences.wgsl.js'
import {
  array,
  chunkState,
  constants,
  entry,
  headState,
  inOrder,
  keyOf,
  ofChannels,
  states,
  stepAt,
  strided,
} from './ssd-tensors.wgsl.js'

export interface SsdGradientForm extends SsdForm {
  readonly dy: Format
  /** null: nothing used the last state. */
  readonly dLast: Format | null
}

/** Invocations that make the first sums of `through` */
const FIRST_SUMS = 16

/** c, dy, states, steps, dLast?, h0 if there is one and rows are packed → G (B, chunks, H, P, N), through (B, chunks, H, blocks), dH0 (B, H, P, N) if there is an h0 */
export function ssdStateGradientsShader(form: SsdGradientForm, facts: DeviceFacts): Shader {
  const plan = planSsd(form, facts)
  return {
    code: () => stateGradientsCode(form, plan),
    key: keyOf(form, plan),
    name: 'SSD scan, gradients of states',
  }
}

function stateGradientsCode(form: SsdGradientForm, plan: SsdPlan): string {
  const {across, block, blocks, chunk, down} = plan
  const {each, invocations} = blocks
  const {dLast, h0} = form
  const place = 'first_p + row, first_n + column'
  const begin = dLast ? `read_d_last(${headState(form)}, ${place})` : 'vec4<f32>()'
  const outer = (result: string, weights: string): Steps =>
    product(blocks, result, block, {
      left: {along: false, ...from('first_p', channelRows('dy', form)), scale: (t) => `${weights}[${t}]`},
      right: {along: false, ...from('first_n', stateRows('c', form))},
      terms: chunk,
    })
  const added = outer('added', 'weights')
  const anew = beginsAnew(form)
  const begun = outer('begun', 'first_weights')
  return `${blocks.enables}
${constants(plan)}
${inOrder([
  strided('c', form),
  ofChannels('dy', form.dy, form),
  states({format: plan.kept, name: 'states'}, form),
  array('steps', stepType(form)),
  ...(dLast ? [states({format: dLast, name: 'd_last'}, {...form, eights: false})] : []),
  ...firstStates(form),
  states({format: plan.kept, name: 'd_states', output: true}, form),
  array('through', 'f32', true),
  ...(h0 ? [states({format: 'f32', name: 'd_h0', output: true}, form)] : []),
])}
${blocks.declare([block], null)}
// exp(s_t), but zero beyond the last step
var<workgroup> weights: array<f32, ${chunk}>;
var<workgroup> whole: f32;
${declareFirst(form, plan)}var<workgroup> parts: array<f32, ${invocations}>;

${entry(plan)}
  ${blockOrigin(form, plan)}
  ${blocks
    .slots(block)
    .map((slot) => `var g_${slot} = vec4<f32>();`)
    .join(' ')}
${readFirst(form, plan, `read_h0(${headState(form)}, ${place})`)}  ${each(block, (slot) => `g_${slot} = ${begin};`)}
  for (var next = chunk_count(); next > 0u; next--) {
    let chunk = next - 1u;
    let first = chunk * ${chunk}u;
    ${form.packed ? `let anew = steps[${stepAt(`${chunk - 1}u`, form, plan)}].z >= 0.0;\n    ` : ''}${added.load}
    ${BARRIER}
    if (thread < ${chunk}u) {
      ${takeDecay(form, plan)}
    }
    var part = 0.0;
    ${writeSlots(plan, block, form, {format: plan.kept, name: 'd_states', place: `${chunkState(form)}, ${place}`}, 'g')}
    ${eachRead(plan, block, from('first_n', matrixRows('states', form, plan)), (slot, value) => `part += dot(g_${slot}, ${orFirst(form, slot, value)});`)}
    parts[thread] = part;
    ${BARRIER}
    ${added.rest('')}
    ${sumParts(invocations, `through[${chunkState(form)} * ${across * down}u + group.x]`)}
    ${anew ? whole(begun) : ''}${each(block, (slot) => passOn(form, slot))}
  }
  ${h0 ? each(block, (slot) => `write_d_h0(${headState(form)}, ${place}, ${anew ? `g_${slot} + d_first_${slot}` : `g_${slot}`});`) : ''}
}`
}

/** exp(s_t) of step `thread`, and of the chunk's last */
function takeDecay(form: SsdGradientForm, plan: SsdPlan): string {
  const step = `steps[${stepAt('thread', form, plan)}]`
  const last = `thread == ${plan.chunk - 1}u`
  if (!form.packed) {
    return `let decay = exp(${step}.y);
      weights[thread] = select(0.0, decay, first + thread < params.length);
      if (${last}) { whole = decay; }`
  }
  return `let step = ${step};
      let decay = select(0.0, exp(step.y), first + thread < params.length);
      weights[thread] = ${ofBefore(form, 'step.z', 'decay')};
      ${beginsAnew(form) ? `first_weights[thread] = ${ofFirst(form, 'step.z', 'decay')};` : ''}
      if (${last}) { whole = exp(step.y); }`
}

const declareFirst = (form: SsdGradientForm, {chunk}: SsdPlan): string =>
  beginsAnew(form) ? `var<workgroup> first_weights: array<f32, ${chunk}>;\n` : ''

/** `first_<slot>`: h0; `d_first_<slot>`: its gradient from sequences that begin within chunks */
function readFirst(form: SsdGradientForm, {block, blocks}: SsdPlan, h0: string): string {
  if (!beginsAnew(form)) return ''
  const slots = blocks.slots(block)
  return `${blocks.each(block, (slot) => `g_${slot} = ${h0};`)}
${nameFirst(form, slots, 'g')}  ${slots.map((slot) => `var d_first_${slot} = vec4<f32>();`).join(' ')}\n`
}

/** G before the chunk, and what first states get instead where a sequence begins in it */
function passOn(form: SsdGradientForm, slot: number): string {
  if (!form.packed) return `g_${slot} = whole * g_${slot} + added_${slot};`
  const passed = `let passed = whole * g_${slot}; g_${slot} = select(passed, vec4<f32>(), anew) + added_${slot};`
  return beginsAnew(form) ? `${passed} d_first_${slot} += select(vec4<f32>(), passed, anew) + begun_${slot};` : passed
}

/** The sum of `parts` in two steps; the barriers of a product lie before, those of the next round behind. */
function sumParts(invocations: number, to: string): string {
  return `if (thread < ${FIRST_SUMS}u) {
      for (var i = thread + ${FIRST_SUMS}u; i < ${invocations}u; i += ${FIRST_SUMS}u) { parts[thread] += parts[i]; }
    }
    ${BARRIER}
    if (thread == 0u) {
      for (var i = 1u; i < ${FIRST_SUMS}u; i++) { parts[0] += parts[i]; }
      ${to} = whole * parts[0];
    }`
}
