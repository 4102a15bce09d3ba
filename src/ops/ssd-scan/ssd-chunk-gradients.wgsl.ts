/**
 * The gradients within chunks of the SSD scan. With s, S and G as in ssd-states.wgsl.ts and ssd-state-gradients.wgsl.ts, and
 * e_rt = exp(s_t − s_r) for r ≤ t, else 0:
 *
 *   q_r  = exp(s_Q − s_r) G B_r + Σ_t e_rt (C_t · B_r) dy_t      dX_r = Δ_r q_r + D dy_r
 *   M_rt = e_rt Δ_r (x_r · dy_t), summed over heads               what dB and dC need of this chunk
 *   dΔ_t = x_t · q_t + A α_t,   α the gradient of Δ A:
 *   α_t  = exp(s_Q) ⟨G, S⟩ + Σ_{u ≥ t} exp(s_u) dy_u · S C_u + Σ_{r < t} exp(s_Q − s_r) Δ_r x_r · G B_r
 *          + Σ_{r < t ≤ u} M_ru (C_u · B_r)
 *
 * The last sum is made of the rows and columns of that matrix above its diagonal: Σ_{u ≥ t} (column u − row u). So α takes no
 * product of three sizes, and the diagonal, the largest part where decay is strong, never enters a difference. Division as
 * in ssd-outputs.wgsl.ts. Where chunks hold several sequences (ssd-sequences.wgsl.ts), e, s and S are theirs, sums over steps
 * end where the sequence of t does, and what has G, only the last sequence has. dA and dD are asked for apart: `parameters` makes Σ Δ_t α_t and Σ x_t · dy_t of each chunk.
 */
import {type DeviceFacts, type Shader} from '../../backend/gpu/shader.js'
import {type Area, BARRIER, product, type Steps, whole} from './blocks.js'
import {declareTotals, sumOverChunk} from './chunk-sums.wgsl.js'
import {betweenChunks, empty, rowLine} from './ssd-between-chunks.wgsl.js'
import {planSsd, type SsdForm, type SsdPlan, termsOf} from './ssd-plan.js'
import {chunkOrigin, declareSteps, loadSteps} from './ssd-outputs.wgsl.js'
import {type SsdGradientForm} from './ssd-state-gradients.wgsl.js'
import {channelRows, stateRows} from './ssd-rows.wgsl.js'
import {boundsOf, firstStates, forOneSequence, leaving, stepType} from './ssd-sequences.wgsl.js'
import {array, constants, entry, inOrder, keyOf, ofChannels, rows, single, states, strided} from './ssd-tensors.wgsl.js'
import {stepSize} from './step-size.wgsl.js'

export type SsdWanted = 'inputs' | 'parameters'

/**
 * x, b, c, dy, states, G, steps, through, h0 as in ssd-outputs.wgsl.ts, then for `inputs` delta, a, d → dX (B, L, E) beside x, dDelta (B, L, H), M (B, chunks,
 * groups of heads, Q, Q); for `parameters` → dA (B, chunks, H), dD (B, chunks, H)
 */
export function ssdChunkGradientsShader(form: SsdGradientForm, wanted: SsdWanted, facts: DeviceFacts): Shader {
  const plan = planSsd(form, facts)
  return {
    code: () => chunkGradientsCode(form, wanted, plan),
    key: keyOf(form, plan, wanted),
    name: 'SSD scan, gradients within chunks',
  }
}

function chunkGradientsCode(form: SsdGradientForm, wanted: SsdWanted, plan: SsdPlan): string {
  const {block, blocks, chunk, together} = plan
  const square: Area = {columns: chunk, rows: chunk}
  const tall: Area = {columns: block.rows, rows: chunk}
  const inputs = wanted === 'inputs'
  const scores = product(blocks, 'score', square, {
    left: {along: true, ...stateRows('b', form)},
    right: {along: true, ...stateRows('c', form)},
    terms: termsOf(form.states),
  })
  const pairs = product(blocks, 'pair', square, {
    left: {along: true, ...channelRows('x', form)},
    right: {along: true, ...channelRows('dy', form)},
    terms: termsOf(form.size),
  })
  const between = betweenChunks(form, inputs, plan, square, tall)
  // With one block of channels its first numbers can be asked for before the loop that there would be over blocks.
  const inOne = block.rows >= form.size
  return `${blocks.enables}
${constants(plan)}
${bindings(form, wanted, plan)}
${blocks.declare([square, tall], square)}
${declareSteps(form, plan)}
var<workgroup> row_terms: array<f32, ${chunk * Math.max(rowLine(tall), rowLine(square))}>;
var<workgroup> gains: array<f32, ${chunk}>;
var<workgroup> passes: array<f32, ${chunk}>;
${declareTotals(['gains', 'passes'], plan)}
${inputs ? stepSize(form) : ''}
// exp(s_t − s_r) for r ≤ t, else 0, for four t
fn decay(r: u32, t: u32) -> vec4<f32> {
  let sum = vec4<f32>(later[t], later[t + 1u], later[t + 2u], later[t + 3u]);
  return select(vec4<f32>(), exp(min(sum - sums[r], vec4<f32>())), ${forOneSequence(form, 'vec4<u32>(t, t + 1u, t + 2u, t + 3u) >= vec4<u32>(r)', 'r', 't')});
}
fn beyond(r: u32, t: u32, value: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(), value, vec4<u32>(t, t + 1u, t + 2u, t + 3u) > vec4<u32>(r));
}
fn sum_of_row(row: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < ${tall.columns / 4}u; i++) { sum += row_terms[row * ${rowLine(tall)}u + i]; }
  return sum;
}

${entry(plan)}
  ${chunkOrigin(form, plan)}
  ${whole(scores)}
  ${inputs ? empty('m', square, plan) : ''}
  for (var head = first_head; head < first_head + ${together}u; head++) {
    ${inOne ? 'let first_p = 0u;' : ''}
    ${pairs.load}
    ${loadSteps(form, plan)}
    let end = sums[${chunk - 1}];
    // Of step \`thread\` of the chunk: see the sums above, in the order of their making
    var gain = 0.0; var inner_pass = 0.0; var direct = 0.0;
    ${pairs.rest(inOne ? between.load : '')}
    ${withinChunk(wanted, plan, square)}
    ${inOne ? between.rest('') : eachBlock(between, form, plan)}
    ${finishSteps(form, wanted, plan)}
  }
  ${inputs ? storeMatrix(form, plan, square) : ''}
}`
}

function bindings(form: SsdGradientForm, wanted: SsdWanted, plan: SsdPlan): string {
  const read = [
    strided('x', form),
    strided('b', form),
    strided('c', form),
    ofChannels('dy', form.dy, form),
    states({format: plan.kept, name: 'states'}, form),
    states({format: plan.kept, name: 'd_states'}, form),
    array('steps', stepType(form)),
    array('through'),
    ...firstStates(form),
  ]
  if (wanted === 'parameters') return inOrder([...read, array('d_a', 'f32', true), array('d_d', 'f32', true)])
  return inOrder([
    ...read,
    single('delta', form.delta),
    array('a'),
    array('d'),
    rows({
      columns: 'x',
      eights: form.eights,
      fits: false,
      format: form.stored,
      name: 'd_x',
      output: true,
      whole: form.size % 4 === 0,
    }),
    array('d_delta', 'f32', true),
    array('matrix', 'vec4<f32>', true),
  ])
}

/** With x · dy of all pairs of steps: M, and the sums of rows and columns above the diagonal. */
function withinChunk(wanted: SsdWanted, plan: SsdPlan, square: Area): string {
  const {blocks, chunk} = plan
  const one = (slot: number): string => `let part = pair_${slot} * decay(row, column) * sizes[row];
    ${wanted === 'inputs' ? `m_${slot} += part;` : `if (column <= row && row < column + 4u) { passes[row] = pair_${slot}[row - column]; }`}
    let above = beyond(row, column, part * score_${slot});
    row_terms[row * ${rowLine(square)}u + column / 4u] = dot(above, vec4<f32>(1.0));
    ${blocks.show(slot, 'above', square)}`
  return `${BARRIER}
    ${blocks.each(square, one)}
    ${BARRIER}
    ${sumColumns(plan, square)}
    if (thread < ${chunk}u) {
      for (var i = 0u; i < ${chunk / 4}u; i++) { gain -= row_terms[thread * ${rowLine(square)}u + i]; }
      for (var i = 0u; i < ${columnParts(plan)}u; i++) { gain += ${blocks.shown('i', 'thread', square)}; }
      ${wanted === 'parameters' ? 'direct = select(0.0, passes[thread], first + thread < params.length);' : ''}
    }`
}

/** Parts that the rows of what is shown are divided into, so that all invocations add up columns. */
const columnParts = ({blocks, chunk}: SsdPlan): number => Math.min(chunk, blocks.invocations / (chunk / 4))

/** Sums of columns of what is shown, a part of the rows each: shown in its place, a row for each part. */
function sumColumns(plan: SsdPlan, square: Area): string {
  const {blocks, chunk} = plan
  const parts = columnParts(plan)
  const guard = (code: string): string =>
    blocks.invocations > (parts * chunk) / 4 ? `if (thread < ${(parts * chunk) / 4}u) { ${code} }` : code
  return `var column_sum = vec4<f32>();
    ${guard(`for (var i = thread / ${chunk / 4}u; i < ${chunk}u; i += ${parts}u) {
      column_sum += ${blocks.shownQuad('i', `(thread % ${chunk / 4}u)`, square)};
    }`)}
    ${BARRIER}
    ${guard(`let row = thread / ${chunk / 4}u; let column = thread % ${chunk / 4}u * 4u; ${blocks.show(0, 'column_sum', square)}`)}
    ${BARRIER}`
}

const eachBlock = ({load, rest}: Steps, {size}: SsdForm, {block}: SsdPlan): string =>
  `for (var first_p = 0u; first_p < ${size}u; first_p += ${block.rows}u) { ${load} ${rest('')} }`

/** α of every step, and what follows from it. */
function finishSteps(form: SsdGradientForm, wanted: SsdWanted, plan: SsdPlan): string {
  const {across, chunk, down} = plan
  const {heads} = form
  const place = `(sequence * chunk_count() + chunk) * ${heads}u + head`
  const passed = `through[(${place}) * ${across * down}u + i]`
  const alpha = `for (var i = 0u; i < ${across * down}u; i++) { alpha += ${leaving(form, 'ends[thread]', plan, passed)}; }`
  const shared = `${BARRIER}
    if (thread < ${chunk}u) {
      gains[thread] = gain;
      passes[thread] = inner_pass * sizes[thread];
    }
    ${BARRIER}
    var alpha = 0.0;
    ${sumOverChunk(
      [
        {of: 'gains', over: '>=', to: 'alpha'},
        {of: 'passes', over: '<', to: 'alpha'},
      ],
      plan,
      boundsOf(form),
    )}`
  if (wanted === 'inputs') {
    return `${shared}
    if (thread < ${chunk}u && first + thread < params.length) {
      ${alpha}
      let row = sequence * params.length + first + thread;
      let slope = step_slope(load_delta(params.delta_offset + row * params.delta_stride + head));
      d_delta[row * ${heads}u + head] = (direct + a[head] * alpha) * slope;
    }`
  }
  return `${shared}
    if (thread < ${chunk}u) {
      ${alpha}
      row_terms[thread] = sizes[thread] * alpha;
      row_terms[thread + ${chunk}u] = direct;
    }
    ${BARRIER}
    if (thread == 0u) {
      var of_a = 0.0; var of_d = 0.0;
      for (var i = 0u; i < ${chunk}u; i++) { of_a += row_terms[i]; of_d += row_terms[i + ${chunk}u]; }
      d_a[${place}] = of_a;
      d_d[${place}] = of_d;
    }`
}

const storeMatrix = ({heads}: SsdGradientForm, {blocks, chunk, together}: SsdPlan, square: Area): string =>
  blocks.each(
    square,
    (slot) => `let at = ((sequence * chunk_count() + chunk) * ${heads / together}u + group.y) * ${chunk}u + row;
    matrix[(at * ${chunk}u + column) / 4u] = m_${slot};`,
  )
