/** Rows of a tensor put into wider rows: row r of the part goes to offset + r · stride. */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../backend/gpu/shader.js'

const INVOCATIONS = 256

export interface PlaceColumns {
  readonly columns: number
  readonly from: Format
  readonly to: Format
}

/** Numbers that an invocation moves; offset and stride have to be multiples. */
export const placeWidth = ({columns}: PlaceColumns): 2 | 4 => (columns % 4 === 0 ? 4 : 2)

/** Parameters: groups of numbers in all, and offset and stride in such groups. */
export function placeColumns(place: PlaceColumns): Shader {
  const {columns, from, to} = place
  const width = placeWidth(place)
  return {
    code: () => `${parameters(['count', 'offset', 'stride'])}
${binding({binding: 0, format: from, name: 'part', width})}
${binding({binding: 1, format: to, name: 'placed', output: true, width})}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }
  let row = i / ${columns / width}u;
  store_placed(params.offset + row * params.stride + i % ${columns / width}u, load_part(i));
}`,
    key: `${columns} ${from} ${to}`,
    name: 'place columns',
  }
}
