/** Rows of a table by index:  out[r] = table[indices[offset + r]], in any two formats. An index outside the table gives zeros. */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader, type Width} from '../backend/gpu/shader.js'

const THREADS = 256

export interface GatherForm {
  readonly columns: number
  /** f16 only where the columns are a multiple of 8 */
  readonly table: Format
  readonly out: Format
  /** The table is some rows of a larger one, from row `first` on: other rows are left as they are, or zeros by the first window. */
  readonly windowed?: boolean
}

const widthOf = (columns: number): Width => (columns % 4 === 0 ? 4 : 1)

/** table (V, d), indices i32 → (rows, d). */
export function gatherRowsShader({columns, out, table, windowed = false}: GatherForm): Shader {
  const width = widthOf(columns)
  const groups = columns / width
  return {
    code: () =>
      [
        parameters(['rows', 'table_rows', 'offset', ...(windowed ? ['first'] : [])]),
        binding({binding: 0, format: table, name: 'table', width}),
        binding({binding: 1, format: 'i32', name: 'indices', width: 1}),
        binding({binding: 2, format: out, name: 'out', output: true, width}),
        /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = ${FLAT_WORKGROUP} * ${THREADS}u + thread;
  let row = i / ${groups}u;
  if (row >= params.rows) { return; }
  let index = u32(load_indices(params.offset + row))${windowed ? ' - params.first' : ''};
  var value = ${width === 4 ? 'vec4<f32>(0.0)' : '0.0'};
  if (index < params.table_rows) { value = load_table(index * ${groups}u + i % ${groups}u); }
  ${windowed ? 'if (index < params.table_rows || params.first == 0u) { store_out(i, value); }' : 'store_out(i, value);'}
}`,
      ].join('\n'),
    key: `${columns} ${table} ${out}${windowed ? ' windowed' : ''}`,
    name: 'rows by index',
  }
}

export function gatherGroups(rows: number, columns: number): number {
  return Math.ceil((rows * columns) / widthOf(columns) / THREADS)
}
