/**
 * The gradients G of the states behind chunks, from the last chunk to the first. With s and S as in ssd-states.wgsl.ts, and G
 * behind the last chunk the gradient of the last state, G behind the chunk before is
 *
 *   exp(s_Q) G + Σ_t exp(s_t) dy_t C_tᵀ
 *
 * and before the first chunk it is dH0. `through` is exp(s_Q) ⟨G, S⟩: what all decays of the chunk get from the states that
 * pass through it. Division as in ssd-states.wgsl.ts.
 */
import {type DeviceFacts, type Format, type Shader} from '../../backend/gpu/shader.js'
import {BARRIER, product} from './blocks.js'
import {planSsd, type SsdForm, type SsdPlan} from './ssd-plan.js'
import {blockOrigin} from './ssd-states.wgsl.js'
import {channelRows, eachRead, from, matrixRows, stateRows, writeSlots} from './ssd-rows.wgsl.js'
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

/** c, dy, states, steps, dLast? → G (B, chunks, H, P, N), through (B, chunks, H, blocks), dH0 (B, H, P, N) if there is an h0 */
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
  const added = product(blocks, 'added', block, {
    left: {along: false, ...from('first_p', channelRows('dy', form)), scale: (t) => `weights[${t}]`},
    right: {along: false, ...from('first_n', stateRows('c', form))},
    terms: chunk,
  })
  return `${blocks.enables}
${constants(plan)}
${inOrder([
  strided('c', form),
  ofChannels('dy', form.dy, form),
  states({format: plan.kept, name: 'states'}, form),
  array('steps', 'vec2<f32>'),
  ...(dLast ? [states({format: dLast, name: 'd_last'}, {...form, eights: false})] : []),
  states({format: plan.kept, name: 'd_states', output: true}, form),
  array('through', 'f32', true),
  ...(h0 ? [states({format: 'f32', name: 'd_h0', output: true}, form)] : []),
])}
${blocks.declare([block], null)}
// exp(s_t), but zero beyond the last step
var<workgroup> weights: array<f32, ${chunk}>;
var<workgroup> whole: f32;
var<workgroup> parts: array<f32, ${invocations}>;

${entry(plan)}
  ${blockOrigin(form, plan)}
  ${blocks
    .slots(block)
    .map((slot) => `var g_${slot} = vec4<f32>();`)
    .join(' ')}
  ${each(block, (slot) => `g_${slot} = ${begin};`)}
  for (var next = chunk_count(); next > 0u; next--) {
    let chunk = next - 1u;
    let first = chunk * ${chunk}u;
    ${added.load}
    ${BARRIER}
    if (thread < ${chunk}u) {
      let decay = exp(steps[${stepAt('thread', form, plan)}].y);
      weights[thread] = select(0.0, decay, first + thread < params.length);
      if (thread == ${chunk - 1}u) { whole = decay; }
    }
    var part = 0.0;
    ${writeSlots(plan, block, form, {format: plan.kept, name: 'd_states', place: `${chunkState(form)}, ${place}`}, 'g')}
    ${eachRead(plan, block, from('first_n', matrixRows('states', form, plan)), (slot, value) => `part += dot(g_${slot}, ${value});`)}
    parts[thread] = part;
    ${BARRIER}
    ${added.rest('')}
    ${sumParts(invocations, `through[${chunkState(form)} * ${across * down}u + group.x]`)}
    ${each(block, (slot) => `g_${slot} = whole * g_${slot} + added_${slot};`)}
  }
  ${h0 ? each(block, (slot) => `write_d_h0(${headState(form)}, ${place}, g_${slot});`) : ''}
}`
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
