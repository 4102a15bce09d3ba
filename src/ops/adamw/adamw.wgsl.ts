/**
 * AdamW over an arena: one buffer that holds every trained tensor, with zeros between them, and buffers of the same layout
 * for gradients and moments. Equations and order of operations are those of adamw.ts, in f32; what depends on the step's
 * number is computed in f64 on the host and handed in. Clipping is by global norm, which never leaves the device before it
 * is used: coefficient min(1, limit / (norm + 1e-6)).
 */
import {binding, FLAT_WORKGROUP, flatGrid, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'

/** Gradients that one dispatch adds; with layout and arena 14 bindings. */
export const GRADIENTS_AT_ONCE = 12

/** Numbers of a gradient that one workgroup adds. */
const ADDED = 1024
const THREADS = 256

/** Partial sums of the norm, at most. */
const MOST_PARTS = 1024
/** Groups of four numbers that each thread of a partial sum adds, before there are MOST_PARTS of them. */
const GROUPS_A_THREAD = 4

/**
 * Gradients of `count` tensors (f32) and the layout (tensors, 2) i32, the first number and the size of each tensor in the
 * arena → the arena of gradients, changed in place:  arena[start + i] += scale · gradient[i]. Immediate `tensor3` is the
 * row in the layout of the third gradient. A row of workgroups has one gradient.
 */
export function accumulateShader(count: number): Shader {
  const indices = Array.from({length: count}, (_, index) => index)
  const tensors = indices.map((index) => `tensor${index}`)
  return {
    code: () =>
      [
        parameters(tensors, ['scale']),
        ...indices.map((index) => binding({binding: index, format: 'f32', name: `g${index}`, width: 1})),
        binding({binding: count, format: 'i32', name: 'places', width: 2}),
        binding({binding: count + 1, format: 'f32', name: 'arena', output: true, width: 1}),
        /* wgsl */ `
fn tensor_of(gradient: u32) -> u32 {
  switch (gradient) {
${indices.map((index) => `    case ${index}u: { return params.tensor${index}; }`).join('\n')}
    default: { return 0u; }
  }
}

fn load_gradient(gradient: u32, i: u32) -> f32 {
  switch (gradient) {
${indices.map((index) => `    case ${index}u: { return load_g${index}(i); }`).join('\n')}
    default: { return 0.0; }
  }
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let place = vec2<u32>(load_places(tensor_of(group.y)));
  let begin = group.x * ${ADDED}u;
  let end = min(begin + ${ADDED}u, place.y);
  for (var i = begin + thread; i < end; i += ${THREADS}u) {
    let at = place.x + i;
    store_arena(at, load_arena(at) + params.scale * load_gradient(group.y, i));
  }
}`,
      ].join('\n'),
    key: `${count}`,
    name: 'AdamW, accumulate',
  }
}

/** Workgroups for gradients of these sizes. */
export function accumulateGrid(sizes: readonly number[]): Grid {
  return [Math.ceil(Math.max(...sizes) / ADDED), sizes.length, 1]
}

/** Partial sums of squares of an arena of so many numbers. */
export function normParts(size: number): number {
  return Math.min(MOST_PARTS, Math.ceil(size / (4 * THREADS * GROUPS_A_THREAD)))
}

/** An arena (a multiple of 4 numbers) → the sums of the squares of its parts, one for each workgroup. */
export const squaresShader: Shader = {
  code: () =>
    [
      parameters(['groups']),
      binding({binding: 0, format: 'f32', name: 'arena', width: 4}),
      binding({binding: 1, format: 'f32', name: 'parts', output: true, width: 1}),
      sumOfThreads,
      /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  var sum = 0.0;
  for (var i = group.x * ${THREADS}u + thread; i < params.groups; i += groups.x * ${THREADS}u) {
    let g = load_arena(i);
    sum += dot(g, g);
  }
  let total = sum_of_threads(thread, sum);
  if (thread == 0u) { store_parts(group.x, total); }
}`,
    ].join('\n'),
  key: '',
  name: 'AdamW, squares',
}

/** Partial sums of squares → the root of their sum, a scalar. One workgroup. */
export const normShader: Shader = {
  code: () =>
    [
      parameters(['parts']),
      binding({binding: 0, format: 'f32', name: 'parts', width: 1}),
      binding({binding: 1, format: 'f32', name: 'norm', output: true, width: 1}),
      sumOfThreads,
      /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < params.parts; i += ${THREADS}u) { sum += load_parts(i); }
  let total = sum_of_threads(thread, sum);
  if (thread == 0u) { store_norm(0u, sqrt(total)); }
}`,
    ].join('\n'),
  key: '',
  name: 'AdamW, norm',
}

/** An arena and its layout (tensors, 2) i32 → √ Σ g² of each tensor. A workgroup for each. */
export const tensorNormsShader: Shader = {
  code: () =>
    [
      parameters(['tensors']),
      binding({binding: 0, format: 'f32', name: 'arena', width: 1}),
      binding({binding: 1, format: 'i32', name: 'places', width: 2}),
      binding({binding: 2, format: 'f32', name: 'norms', output: true, width: 1}),
      sumOfThreads,
      /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tensor = ${FLAT_WORKGROUP};
  if (tensor >= params.tensors) { return; }
  let place = vec2<u32>(load_places(tensor));
  var sum = 0.0;
  for (var i = thread; i < place.y; i += ${THREADS}u) {
    let g = load_arena(place.x + i);
    sum += g * g;
  }
  let total = sum_of_threads(thread, sum);
  if (thread == 0u) { store_norms(tensor, sqrt(total)); }
}`,
    ].join('\n'),
  key: '',
  name: 'AdamW, norms of tensors',
}

/** Workgroups for so many tensors. */
export const tensorNormsGrid = flatGrid

const sumOfThreads = /* wgsl */ `
var<workgroup> sums: array<f32, ${THREADS}>;

fn sum_of_threads(thread: u32, mine: f32) -> f32 {
  sums[thread] = mine;
  for (var half = ${THREADS / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  return sums[0];
}`

/** Whole immediates and floats of stepShader, in order. */
const STEP_WHOLE = ['groups', 'clipped'] as const
const STEP_FLOATS = [
  'limit',
  'keep',
  'decay',
  'step_size',
  'root_correction',
  'beta1',
  'rest1',
  'beta2',
  'rest2',
  'epsilon',
] as const

export type StepNumbers = Readonly<Record<(typeof STEP_FLOATS)[number], number>>

/** In the order in which the shader declares them. */
export function stepFloats(numbers: StepNumbers): number[] {
  return STEP_FLOATS.map((name) => numbers[name])
}

/** Numbers of an arena that share factors; tensors begin at multiples of it. */
export const RATED_BLOCK = 64

/** Every value's own factors on η and λ: rates (blocks, 2), one row for each block. */
const ownRates = /* wgsl */ `
    let rate = load_rates(i / ${RATED_BLOCK / 4}u);
    let step_size = params.step_size * rate.x;
    let keep = 1.0 - params.decay * (rate.x * rate.y);`

const commonRates = /* wgsl */ `
    let step_size = params.step_size;
    let keep = params.keep;`

/**
 * One step for a whole arena: norm () f32; with `rated` factors for each block; values, gradients and both moments are changed in place, and gradients become
 * zeros for the next step. A norm that is not finite leaves values and moments as they are.
 */
const stepShaderOf = (rated: boolean): Shader => ({
  code: () =>
    [
      parameters(STEP_WHOLE, STEP_FLOATS),
      binding({binding: 0, format: 'f32', name: 'norm', width: 1}),
      ...(rated ? [binding({binding: 1, format: 'f32', name: 'rates', width: 2})] : []),
      ...['values', 'gradients', 'm', 'v'].map((name, index) =>
        binding({binding: (rated ? 2 : 1) + index, format: 'f32', name, output: true, width: 4}),
      ),
      /* wgsl */ `
// By its bits: a compiler may assume that floats are finite.
fn is_finite(value: f32) -> bool { return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u; }

@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = ${FLAT_WORKGROUP} * ${THREADS}u + thread;
  if (i >= params.groups) { return; }
  let norm = load_norm(0u);
  if (is_finite(norm)) {
    var scale = 1.0;
    if (params.clipped != 0u) { scale = min(1.0, params.limit / (norm + 1e-6)); }
    let g = load_gradients(i) * scale;
    let m = params.beta1 * load_m(i) + params.rest1 * g;
    let v = params.beta2 * load_v(i) + params.rest2 * g * g;
    store_m(i, m);
    store_v(i, v);
${rated ? ownRates : commonRates}
    let change = (step_size * m) / (sqrt(v) / params.root_correction + params.epsilon);
    store_values(i, load_values(i) * keep - change);
  }
  store_gradients(i, vec4<f32>(0.0));
}`,
    ].join('\n'),
  key: rated ? 'rated' : '',
  name: 'AdamW, step',
})

export const stepShader = stepShaderOf(false)
export const ratedStepShader = stepShaderOf(true)

export function stepGrid(groups: number): Grid {
  return flatGrid(Math.ceil(groups / THREADS))
}
