/**
 * The states between chunks (equations: ssd-scan.ts; Dao and Gu, section 6, steps 2 and 3 in one). With a_t = Δ_t A and
 * s_t = Σ a up to t within the chunk, the state S before a chunk of Q steps becomes
 *
 *   exp(s_Q) S + Σ_t exp(s_Q − s_t) Δ_t x_t B_tᵀ
 *
 * A workgroup takes a block of a head's state through all chunks of a sequence: the state stays in registers in f32, and is
 * stored once for each chunk. So nothing is passed through memory in between, and Δ and s are written for all that follows.
 * Blocks of 64 × 64: two for a head of 64 × 128, so that 32 sequences of 24 heads make 1,536 workgroups, and 4 make 192.
 *
 * Where a sequence begins within the chunk (ssd-sequences.wgsl.ts), its last one has h0 for S, and t goes over its steps alone.
 */
import {type DeviceFacts, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {BARRIER, product} from './blocks.js'
import {declareTotals, sumOverChunk} from './chunk-sums.wgsl.js'
import {
  clearBorders,
  declareBorders,
  markBorder,
  markedBounds,
  markedStep,
  noteFirst,
  unlessEnded,
} from './ssd-borders.wgsl.js'
import {planSsd, type SsdForm, type SsdPlan} from './ssd-plan.js'
import {channelRows, from, stateRows, writeSlots} from './ssd-rows.wgsl.js'
import {nameFirst, orFirst, positionsOf, stepType} from './ssd-sequences.wgsl.js'
import {
  array,
  chunkState,
  constants,
  entry,
  groupOf,
  headState,
  inOrder,
  keyOf,
  single,
  states,
  stepAt,
  strided,
} from './ssd-tensors.wgsl.js'
import {stepSize} from './step-size.wgsl.js'

/** x, delta, a, b, h0?, positions? → states (B, chunks, H, P, N), steps (B, H, chunks · Q) of Δ and s (of packed rows begin and end too), last (B, H, P, N) */
export function ssdStatesShader(form: SsdForm, facts: DeviceFacts): Shader {
  const plan = planSsd(form, facts)
  return {
    code: () => statesCode(form, plan),
    key: keyOf(form, plan),
    name: 'SSD scan, states',
  }
}

/** Also the grid of the states' gradients. */
export function ssdStatesGrid({heads}: SsdForm, {across, down}: SsdPlan, batch: number): Grid {
  return [across * down, heads, batch]
}

/** A workgroup's block: head, and its first row and column. */
export const blockOrigin = (form: SsdForm, {across, block}: SsdPlan): string => `let head = group.y;
  let channel_group = ${groupOf(form)};
  let first_p = group.x / ${across}u * ${block.rows}u;
  let first_n = group.x % ${across}u * ${block.columns}u;`

function statesCode(form: SsdForm, plan: SsdPlan): string {
  const {block, blocks, chunk} = plan
  const {each, invocations} = blocks
  const named = form.h0 ? [states({format: form.h0, name: 'h0'}, {...form, eights: false})] : []
  const first = form.h0 ? `read_h0(${headState(form)}, first_p + row, first_n + column)` : 'vec4<f32>()'
  const added = product(blocks, 'added', block, {
    left: {along: false, ...from('first_p', channelRows('x', form)), scale: (line) => `weights[${line}]`},
    right: {along: false, ...from('first_n', stateRows('b', form))},
    terms: chunk,
  })
  return `${blocks.enables}
${constants(plan)}
${inOrder([
  strided('x', form),
  single('delta', form.delta),
  array('a'),
  strided('b', form),
  ...named,
  ...positionsOf(form),
  states({format: plan.kept, name: 'states', output: true}, form),
  array('steps', stepType(form), true),
  states({format: 'f32', name: 'last', output: true}, form),
])}
${blocks.declare([block], null)}
${stepSize(form)}
var<workgroup> decays: array<f32, ${chunk}>;
${declareTotals(['decays'], plan)}
var<workgroup> weights: array<f32, ${chunk}>;
var<workgroup> whole: f32;
${declareBorders(form, plan)}
${entry(plan)}
  ${blockOrigin(form, plan)}
  ${blocks
    .slots(block)
    .map((slot) => `var h_${slot} = vec4<f32>();`)
    .join(' ')}
  ${each(block, (slot) => `h_${slot} = ${first};`)}
${nameFirst(form, blocks.slots(block), 'h')}  for (var chunk = 0u; chunk < chunk_count(); chunk++) {
    let first = chunk * ${chunk}u;
    ${added.load}
    ${prepareSteps(form, plan)}
    ${writeSlots(plan, block, form, {format: plan.kept, name: 'states', place: `${chunkState(form)}, first_p + row, first_n + column`}, 'h')}
    ${added.rest('')}
    ${each(block, (slot) => `h_${slot} = whole * ${orFirst(form, slot, `h_${slot}`)} + added_${slot};`)}
  }
  ${each(block, (slot) => `write_last(${headState(form)}, first_p + row, first_n + column, h_${slot});`)}
}
// A workgroup has ${invocations} invocations, no fewer than a chunk has steps.
`
}

/** Δ and s of the chunk, one step for an invocation; what follows finds weights exp(s_Q − s_t) Δ_t and exp(s_Q) = whole. */
function prepareSteps(form: SsdForm, plan: SsdPlan): string {
  const {chunk} = plan
  return `var dt = 0.0;
    ${clearBorders(form, plan)}${BARRIER}
    if (thread < ${chunk}u) {
      let t = first + thread;
      let raw = load_delta(params.delta_offset + (sequence * params.length + min(t, params.length - 1u)) * params.delta_stride + head);
      dt = select(0.0, step_size(raw), t < params.length);
      decays[thread] = dt * a[head];${markBorder(form)}
    }
    ${BARRIER}
    var sum = 0.0;
    var rest = 0.0;
    ${sumOverChunk(
      [
        {of: 'decays', over: '<=', to: 'sum'},
        {of: 'decays', over: '>', to: 'rest'},
      ],
      plan,
      markedBounds(form),
    )}
    if (thread < ${chunk}u) {
      weights[thread] = ${unlessEnded(form, plan, 'exp(rest) * dt')};
      if (thread == ${chunk - 1}u) { whole = exp(sum);${noteFirst(form)} }
      if (group.x == 0u) { steps[${stepAt('thread', form, plan)}] = ${markedStep(form)}; }
    }
    ${BARRIER}`
}
