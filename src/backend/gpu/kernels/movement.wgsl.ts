/**
 * Moving numbers: one shader for transposing, slicing, padding, repeating and joining. The result is walked in order; each
 * of its numbers comes from a place in the source that is a sum of four strides, or is a zero where there is no such place.
 */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../shader.js'

const INVOCATIONS = 256

/**
 * Parameters: numbers moved; the lengths of the moved block's last three axes; four strides and a start in the source; four
 * strides and a start in the result. The result is written at those places only.
 */
export function move(from: Format, to: 'f32' | 'i32'): Shader {
  const strides = (side: string): string[] => [0, 1, 2, 3].map((axis) => `${side}${axis}`)
  const place = (side: string): string => [0, 1, 2, 3].map((axis) => `at${axis} * params.${side}${axis}`).join(' + ')
  const names = [
    'count',
    'length1',
    'length2',
    'length3',
    ...strides('s'),
    'source_start',
    ...strides('r'),
    'result_start',
  ]
  return {
    code: () => `${parameters(names)}
${binding({binding: 0, format: from, name: 'source', width: 1})}
${binding({binding: 1, format: to, name: 'result', output: true, width: 1})}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }
  let at3 = i % params.length3;
  let at2 = (i / params.length3) % params.length2;
  let at1 = (i / (params.length3 * params.length2)) % params.length1;
  let at0 = i / (params.length3 * params.length2 * params.length1);
  store_result(params.result_start + ${place('r')}, load_source(params.source_start + ${place('s')}));
}`,
    key: `${from} ${to}`,
    name: 'move',
  }
}
