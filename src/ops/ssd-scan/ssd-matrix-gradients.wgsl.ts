/**
 * dB or dC of the SSD scan, summed over the heads of a group. With M of ssd-chunk-gradients.wgsl.ts:
 *
 *   dB_r = Σ_heads exp(s_Q − s_r) Δ_r Gᵀ x_r + Σ_t M_rt C_t
 *   dC_t = Σ_heads exp(s_t) Sᵀ dy_t + Σ_r M_rt B_r
 *
 * Where chunks hold several sequences (ssd-sequences.wgsl.ts), s is theirs, the first sum of dB has the last one's steps, and S
 * is h0 for those that begin there. The sum over heads is one over the terms of a product: of E / G channels, and Q more for M. A workgroup takes a chunk and a
 * block of states: 32 × 512 steps make 512 workgroups for each of dB and dC, 4 × 2048 steps 256.
 */
import {type DeviceFacts, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {type Area, type Steps, whole} from './blocks.js'
import {planSsd, type SsdPlan} from './ssd-plan.js'
import {type SsdGradientForm} from './ssd-state-gradients.wgsl.js'
import {channelRows, firstRows, from, matrixRows, type Rows, stateRows, writeSlots} from './ssd-rows.wgsl.js'
import {beginsAnew, decayToEnd, firstStates, leaving, ofBefore, ofFirst, stepType} from './ssd-sequences.wgsl.js'
import {array, constants, entry, inOrder, keyOf, ofChannels, rows, states, stepAt, strided} from './ssd-tensors.wgsl.js'

export interface SsdMatrixForm extends SsdGradientForm {
  readonly of: 'b' | 'c'
  readonly output: 'f16' | 'f32'
}

/** of b: x, c, G, steps, M → dB (B, L, G·N) beside B; of c: dy, b, states, steps, M, h0 as in ssd-outputs.wgsl.ts → dC (B, L, G·N) beside C */
export function ssdMatrixGradientShader(ofBoth: SsdMatrixForm, facts: DeviceFacts): Shader {
  const form = ofBoth.of === 'b' ? {...ofBoth, h0: null} : ofBoth // dB takes no state
  const plan = planSsd(form, facts)
  return {
    code: () => matrixGradientCode(form, plan),
    key: keyOf(form, plan),
    name: `SSD scan, gradient of ${form.of === 'b' ? 'B' : 'C'}`,
  }
}

export function ssdMatrixGradientGrid({groups}: SsdMatrixForm, {across}: SsdPlan, chunks: number, batch: number): Grid {
  return [chunks, across * groups, batch]
}

function matrixGradientCode(form: SsdMatrixForm, plan: SsdPlan): string {
  const {across, block, blocks, chunk} = plan
  const {groups, heads, of, output, size} = form
  const area: Area = {columns: block.columns, rows: chunk}
  const [matrix, channels, other] = of === 'b' ? (['d_states', 'x', 'c'] as const) : (['states', 'dy', 'b'] as const)
  const perGroup = heads / groups
  const between = (id: string, weight: string, states: Rows): Steps =>
    blocks.multiply(id, 'sum', area, {
      left: {
        along: true,
        ...from('first_p', channelRows(channels, form)),
        scale: (t) => `${weight}(sequence, chunk, head, ${t})`,
        scaleIsRead: true,
      },
      right: {along: false, ...from('first_n', states)},
      terms: block.rows,
    })
  const fromStates = [
    between('between', 'weight', matrixRows(matrix, form, plan)),
    ...(beginsAnew(form) ? [between('anew', 'first_weight', firstRows(form))] : []),
  ]
  const within = blocks.multiply('within', 'sum', area, {
    left: {along: of === 'b', quad: (line, at) => `summed_matrix(sequence, chunk, channel_group, ${line}, ${at})`},
    right: {along: false, ...from('first_n', stateRows(other, form))},
    terms: chunk,
  })
  const end = `(channel_group + 1u) * ${form.states}u`
  const place = `sequence, first + row, channel_group * ${form.states}u + first_n + column, ${end}`
  return `${blocks.enables}
${constants(plan)}
${inOrder([
  channels === 'x' ? strided('x', form) : ofChannels('dy', form.dy, form),
  strided(other, form),
  states({format: plan.kept, name: matrix}, form),
  array('steps', stepType(form)),
  array('matrix', 'vec4<f32>'),
  ...firstStates(form),
  rows({
    columns: of,
    eights: form.eights,
    fits: false,
    format: output,
    name: 'gradient',
    output: true,
    whole: form.states % 4 === 0,
  }),
])}
${blocks.declare([area], null)}
${weight(form, plan)}
${summedMatrix(form, plan)}

${entry(plan)}
  let chunk = group.x;
  let first = chunk * ${chunk}u;
  let channel_group = group.y / ${across}u;
  let first_n = group.y % ${across}u * ${block.columns}u;
  ${blocks.begin('sum', area)}
  for (var head = channel_group * ${perGroup}u; head < (channel_group + 1u) * ${perGroup}u; head++) {
    for (var first_p = 0u; first_p < ${size}u; first_p += ${block.rows}u) { ${fromStates.map(whole).join('\n')} }
  }
  ${whole(within)}
  ${blocks.finish('sum', area)}
  ${writeSlots(plan, area, form, {format: output, name: 'gradient', place}, 'sum')}
}`
}

/** The factor of a row of x, or of dy for the state before the chunk and for first states */
function weight(form: SsdMatrixForm, plan: SsdPlan): string {
  const at = (t: string): string => `steps[${stepAt(t, form, plan)}]`
  const one = (name: string, value: string): string =>
    `fn ${name}(sequence: u32, chunk: u32, head: u32, t: u32) -> f32 {
  let step = ${at('t')};
  return ${value};
}`
  if (form.of === 'b') {
    const toEnd = decayToEnd(form, `${at(`${plan.chunk - 1}u`)}.y`, 'step.y')
    return one('weight', `step.x * ${leaving(form, 'step.w', plan, toEnd)}`)
  }
  const before = one('weight', ofBefore(form, 'step.z', 'exp(step.y)'))
  return beginsAnew(form) ? `${before}\n${one('first_weight', ofFirst(form, 'step.z', 'exp(step.y)'))}` : before
}

/** M of all heads of a group */
function summedMatrix({groups, heads}: SsdMatrixForm, {chunk, together}: SsdPlan): string {
  const parts = heads / groups / together
  return `fn summed_matrix(sequence: u32, chunk: u32, channel_group: u32, line: u32, at: u32) -> vec4<f32> {
  let start = (sequence * chunk_count() + chunk) * ${heads / together}u + channel_group * ${parts}u;
  var sum: vec4<f32>;
  for (var i = start; i < start + ${parts}u; i++) { sum += matrix[((i * ${chunk}u + line) * ${chunk}u + at) / 4u]; }
  return sum;
}`
}
