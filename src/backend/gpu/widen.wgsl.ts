/**
 * Numbers as checkpoint files hold them → numbers as a tensor holds them. Each invocation takes one word of 32 bits: one
 * f32, or two bf16 or f16. The places of the first number that is not finite, and of the first that f16 cannot hold, are
 * kept.
 */
import {binding, flatGrid, FLAT_WORKGROUP, type Grid, parameters, type Shader} from './shader.js'

const INVOCATIONS = 256

export type SourceFormat = 'bf16' | 'f16' | 'f32'

/** Parameters: words in the piece, its first word's number in the tensor. */
export function widen(from: SourceFormat, to: 'f16' | 'f32'): Shader {
  const pairs = from !== 'f32'
  const read: Readonly<Record<SourceFormat, string>> = {
    bf16: 'vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u))',
    f16: 'unpack2x16float(word)',
    f32: 'vec2<f32>(bitcast<f32>(word), bitcast<f32>(words[min(i + 1u, params.count - 1u)]))',
  }
  // An f32 source makes a pair of f16 from two words, so only even invocations store then.
  const step = pairs || to === 'f32' ? 1 : 2
  return {
    code: () => `${parameters(['count', 'first'])}
@group(0) @binding(0) var<storage, read> words: array<u32>;
${binding({binding: 1, format: to, name: 'numbers', output: true, width: pairs || to === 'f16' ? 2 : 1})}
@group(0) @binding(2) var<storage, read_write> faults: array<atomic<u32>>;
fn check(value: f32, place: u32) {
  let magnitude = bitcast<u32>(value) & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) { atomicMin(&faults[0], place); }
  ${to === 'f16' ? 'else if (magnitude >= 0x477ff000u) { atomicMin(&faults[1], place); }' : ''}
}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane) * ${step}u;
  if (i >= params.count) { return; }
  let word = words[i];
  let values = ${read[from]};
  let place = ${pairs ? '(params.first + i) * 2u' : 'params.first + i'};
  check(values.x, place);
  ${pairs || step === 2 ? 'check(values.y, place + 1u);' : ''}
  ${pairs || to === 'f16' ? 'store_numbers(place >> 1u, values);' : 'store_numbers(place, values.x);'}
}`,
    key: `${from} ${to}`,
    name: 'widen',
  }
}

export function widenGrid(words: number): Grid {
  return flatGrid(Math.ceil(words / INVOCATIONS))
}
