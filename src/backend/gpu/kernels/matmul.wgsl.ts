/** Small plain products, an invocation for each result: for the few that no fused operation covers. */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../shader.js'

export const MATMUL_INVOCATIONS = 256

export interface PlainProduct {
  readonly left: Format
  readonly right: Format
  readonly transposeLeft: boolean
  readonly transposeRight: boolean
}

/** (batch, m, k) · (batch, k, n) → (batch, m, n). Parameters: batch, m, n, k. */
export function plainProduct({left, right, transposeLeft, transposeRight}: PlainProduct): Shader {
  return {
    code: () => `${parameters(['batch', 'm', 'n', 'k'])}
${binding({binding: 0, format: left, name: 'left', width: 1})}
${binding({binding: 1, format: right, name: 'right', width: 1})}
${binding({binding: 2, format: 'f32', name: 'result', output: true, width: 1})}
@compute @workgroup_size(${MATMUL_INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${MATMUL_INVOCATIONS}u + lane;
  if (i >= params.batch * params.m * params.n) { return; }
  let column = i % params.n;
  let row = (i / params.n) % params.m;
  let item = i / (params.n * params.m);
  var sum = 0.0;
  for (var k = 0u; k < params.k; k++) {
    let a = load_left(item * params.m * params.k + ${transposeLeft ? 'k * params.m + row' : 'row * params.k + k'});
    let b = load_right(item * params.k * params.n + ${transposeRight ? 'column * params.k + k' : 'k * params.n + column'});
    sum += a * b;
  }
  store_result(i, sum);
}`,
    key: [left, right, transposeLeft, transposeRight].join(' '),
    name: 'plain product',
  }
}
