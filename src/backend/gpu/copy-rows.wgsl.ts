/** Rows that lie with a stride, or in another number format, copied to rows that lie one after another. */
import {binding, flatGrid, FLAT_WORKGROUP, type Format, type Grid, parameters, type Shader} from './shader.js'

const INVOCATIONS = 256

export interface CopyRows {
  readonly from: Format
  readonly to: Format
  /** Four numbers at a time: columns, offset and stride are multiples of four. */
  readonly wide: boolean
}

/** Parameters: columns, offset, stride of the input, groups of numbers in all. */
export function copyRows({from, to, wide}: CopyRows): Shader {
  const width = wide ? 4 : to === 'f16' ? 2 : 1
  return {
    code: () => `${parameters(['columns', 'offset', 'stride', 'count'])}
${binding({binding: 0, format: from, name: 'source', width: wide ? 4 : 1})}
${binding({binding: 1, format: to, name: 'target_rows', output: true, width})}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }
  let at = i * ${width}u;
  let place = params.offset + (at / params.columns) * params.stride + at % params.columns;
  ${storeCode(to, wide)}
}`,
    key: `${from} ${to} ${wide ? 'wide' : 'narrow'}`,
    name: 'copy rows',
  }
}

function storeCode(to: Format, wide: boolean): string {
  if (wide) return 'store_target_rows(i, load_source(place >> 2u));'
  if (to !== 'f16') return 'store_target_rows(i, load_source(place));'
  // An even number of columns: both numbers of a pair are in one row.
  return 'store_target_rows(i, vec2<f32>(load_source(place), load_source(place + 1u)));'
}

export function copyRowsLaunch(size: number, to: Format, wide: boolean): {count: number; grid: Grid} {
  const count = Math.ceil(size / (wide ? 4 : to === 'f16' ? 2 : 1))
  return {count, grid: flatGrid(Math.ceil(count / INVOCATIONS))}
}
