/** One workgroup a row: each invocation keeps the best of its columns, then a tree in workgroup memory. */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../../backend/gpu/shader.js'

const INVOCATIONS = 256

/** Parameters: rows, columns. */
export function mostProbableShader(format: Format): Shader {
  return {
    code: () => `${parameters(['rows', 'columns'])}
${binding({binding: 0, format, name: 'logits', width: 1})}
${binding({binding: 1, format: 'i32', name: 'ids', output: true, width: 1})}
var<workgroup> values: array<f32, ${INVOCATIONS}>;
var<workgroup> places: array<i32, ${INVOCATIONS}>;
// NaN is told by its bits, because compilers may assume that there is none.
fn is_nan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = ${FLAT_WORKGROUP};
  if (row >= params.rows) { return; }
  var best = -3.4028234663852886e38;
  var place = 0x7fffffff;
  for (var column = lane; column < params.columns; column += ${INVOCATIONS}u) {
    let value = load_logits(row * params.columns + column);
    if (is_nan(value)) { place = -1; break; }
    if (value > best || place == 0x7fffffff) { best = value; place = i32(column); }
  }
  values[lane] = best;
  places[lane] = place;
  for (var half = ${INVOCATIONS / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      let other = places[lane + half];
      let value = values[lane + half];
      let equal = value == values[lane] && other < places[lane];
      if (places[lane] != -1 && (other == -1 || (other != 0x7fffffff && (value > values[lane] || equal)))) {
        values[lane] = value;
        places[lane] = other;
      }
    }
  }
  if (lane == 0u) { store_ids(row, places[0]); }
}`,
    key: format,
    name: 'most probable token',
  }
}
