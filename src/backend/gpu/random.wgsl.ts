/**
 * Uniform random numbers made on the GPU, for benchmarks of models that nobody has to download. Each number is a hash of its
 * place and the seed: O'Neill's PCG with a 32-bit state and RXS-M-XS output, the same on every device.
 */
import {binding, flatGrid, FLAT_WORKGROUP, type Grid, parameters, type Shader} from './shader.js'

const INVOCATIONS = 256

/** Parameters: pairs of numbers, seed; then the bound: numbers lie in ±bound. */
export function randomUniform(to: 'f16' | 'f32'): Shader {
  return {
    code: () => `${parameters(['count', 'seed'], ['bound'])}
${binding({binding: 0, format: to, name: 'numbers', output: true, width: 2})}
fn hash(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
fn uniform_at(place: u32) -> f32 {
  return (f32(hash(place ^ hash(params.seed)) >> 8u) / 8388608.0 - 1.0) * params.bound;
}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }
  store_numbers(i, vec2<f32>(uniform_at(2u * i), uniform_at(2u * i + 1u)));
}`,
    key: to,
    name: 'random numbers',
  }
}

export function randomGrid(pairs: number): Grid {
  return flatGrid(Math.ceil(pairs / INVOCATIONS))
}
