/**
 * Sums and maxima along an axis in the middle: (outer, length, inner) → (outer, inner). A result has either an invocation of
 * its own, for short axes, or a workgroup, whose tree has the same order each time.
 */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../shader.js'

export const REDUCE_INVOCATIONS = 256

export type Reduction = 'Sum' | 'Max'

const START: Readonly<Record<Reduction, string>> = {Max: '-3.4028234663852886e38', Sum: '0.0'}
const JOIN: Readonly<Record<Reduction, string>> = {Max: 'max(total, next)', Sum: 'total + next'}

const BINDINGS = (from: Format): string => `${parameters(['results', 'length', 'inner'])}
${binding({binding: 0, format: from, name: 'source', width: 1})}
${binding({binding: 1, format: 'f32', name: 'result', output: true, width: 1})}
fn place(result: u32, k: u32) -> u32 {
  return ((result / params.inner) * params.length + k) * params.inner + result % params.inner;
}`

/** Parameters of both: results, length of the axis, inner. */
export function reduceShort(reduction: Reduction, from: Format): Shader {
  return {
    code: () => `${BINDINGS(from)}
@compute @workgroup_size(${REDUCE_INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${REDUCE_INVOCATIONS}u + lane;
  if (i >= params.results) { return; }
  var total = ${START[reduction]};
  for (var k = 0u; k < params.length; k++) {
    let next = load_source(place(i, k));
    total = ${JOIN[reduction]};
  }
  store_result(i, total);
}`,
    key: `short ${from}`,
    name: reduction,
  }
}

export function reduceLong(reduction: Reduction, from: Format): Shader {
  return {
    code: () => `${BINDINGS(from)}
var<workgroup> parts: array<f32, ${REDUCE_INVOCATIONS}>;
@compute @workgroup_size(${REDUCE_INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP};
  if (i >= params.results) { return; }
  var total = ${START[reduction]};
  for (var k = lane; k < params.length; k += ${REDUCE_INVOCATIONS}u) {
    let next = load_source(place(i, k));
    total = ${JOIN[reduction]};
  }
  parts[lane] = total;
  for (var half = ${REDUCE_INVOCATIONS / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      let next = parts[lane + half];
      total = ${JOIN[reduction]};
      parts[lane] = total;
    }
  }
  if (lane == 0u) { store_result(i, total); }
}`,
    key: `long ${from}`,
    name: reduction,
  }
}
