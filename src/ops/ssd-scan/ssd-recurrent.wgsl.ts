/**
 * The SSD scan step after step, for decoding: a few steps read and write the state, and nothing else counts. A workgroup
 * takes four rows of a head's state, sixteen invocations each, which hold every sixteenth four of its numbers.
 */
import {type DeviceFacts, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {BARRIER} from './blocks.js'
import {planSsd, type SsdForm, type SsdPlan} from './ssd-plan.js'
import {nameFirst, orFirst, positionsOf} from './ssd-sequences.wgsl.js'
import {
  array,
  constants,
  groupOf,
  headState,
  inOrder,
  keyOf,
  ofChannels,
  single,
  states,
  strided,
} from './ssd-tensors.wgsl.js'
import {stepSize} from './step-size.wgsl.js'

/** Up to this many steps it beats chunks, most of which would be empty. */
export const MOST_STEPS = 16

const ROWS = 4
const LANES = 16

/** x, delta, a, b, c, d, h0?, positions? → y (B, L, E), last (B, H, P, N) */
export function ssdRecurrentShader(chunked: SsdForm, facts: DeviceFacts): Shader {
  const form = {...chunked, eights: false}
  const plan = planSsd(form, facts)
  return {
    code: () => recurrentCode(form, plan),
    key: keyOf(form, plan),
    name: 'SSD scan, step after step',
  }
}

export function ssdRecurrentGrid({heads, size}: SsdForm, batch: number): Grid {
  return [Math.ceil(size / ROWS), heads, batch]
}

function recurrentCode(form: SsdForm, plan: SsdPlan): string {
  const {h0, size} = form
  const count = form.states
  const filled = count % (4 * LANES) === 0 // else invocations have numbers behind the last state
  const held = Array.from({length: Math.ceil(count / (4 * LANES))}, (_, index) => index)
  const state = (i: number): string => `${i * 4 * LANES}u + lane * 4u`
  const matrix = (name: string, i: number): string =>
    `read_${name}(sequence, t, channel_group * ${count}u + ${state(i)}, (channel_group + 1u) * ${count}u)`
  return `${constants(plan)}
${inOrder([
  strided('x', form),
  single('delta', form.delta),
  array('a'),
  strided('b', form, filled),
  strided('c', form, filled),
  array('d'),
  ...(h0 ? [states({format: h0, inBlocks: filled, name: 'h0'}, form)] : []),
  ...positionsOf(form),
  ofChannels('y', form.stored, form, true),
  states({format: 'f32', name: 'last', output: true}, form),
])}
${stepSize(form)}
var<workgroup> terms: array<f32, ${ROWS * LANES}>;

@compute @workgroup_size(${ROWS * LANES})
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let sequence = group.z;
  let head = group.y;
  let channel_group = ${groupOf(form)};
  let first_row = group.x * ${ROWS}u;
  let own = thread / ${LANES}u;
  let lane = thread % ${LANES}u;
  let first = head * ${size}u + first_row;
  let end = (head + 1u) * ${size}u;
  ${held.map((i) => `var h_${i} = ${h0 ? `read_h0(${headState(form)}, first_row + own, ${state(i)})` : 'vec4<f32>()'};`).join('\n')}
${nameFirst(form, held, 'h')}  for (var t = 0u; t < params.length; t++) {
    let dt = step_size(load_delta(params.delta_offset + (sequence * params.length + t) * params.delta_stride + head));
    let decay = exp(dt * a[head]);${form.packed ? '\n    let anew = load_positions(sequence * params.length + t) == 0;' : ''}
    let x = read_x(sequence, t, first, end);
    var sum = 0.0;
    ${held
      .map(
        (i) => `h_${i} = decay * ${orFirst(form, i, `h_${i}`)} + dt * x[own] * ${matrix('b', i)};
    sum += dot(h_${i}, ${matrix('c', i)});`,
      )
      .join('\n')}
    ${BARRIER}
    terms[thread] = sum;
    ${BARRIER}
    if (thread == 0u) {
      var y = d[head] * x;
      for (var row = 0u; row < ${ROWS}u; row++) {
        for (var i = 0u; i < ${LANES}u; i++) { y[row] += terms[row * ${LANES}u + i]; }
      }
      write_y(sequence, t, first, end, y);
    }
  }
  ${held.map((i) => `write_last(${headState(form)}, first_row + own, ${state(i)}, h_${i});`).join('\n')}
}`
}
