/** Tensors side by side: row r of the result is row r of each part, from left to right. */
import {
  binding,
  flatGrid,
  FLAT_WORKGROUP,
  type Format,
  type Grid,
  parameters,
  type Shader,
} from '../backend/gpu/shader.js'

const INVOCATIONS = 256

export interface JoinColumns {
  /** Columns of each part */
  readonly widths: readonly number[]
  readonly formats: readonly Format[]
  readonly to: Format
}

/** Numbers that an invocation moves: four where no group of four crosses a border. */
export function joinWidth({to, widths}: JoinColumns): 1 | 2 | 4 {
  if (widths.every((width) => width % 4 === 0)) return 4
  return to === 'f16' ? 2 : 1
}

/** Parameters: groups of numbers in all. */
export function joinColumns(join: JoinColumns): Shader {
  const {formats, to, widths} = join
  const group = joinWidth(join)
  const columns = widths.reduce((sum, width) => sum + width, 0)
  let from = 0
  const branches = widths.map((width, part) => {
    const start = from
    from += width
    const place = `(row * ${width}u + column - ${start}u) / ${group}u`
    return `if (column < ${from}u) { store_joined(i, load_part${part}(${place})); return; }`
  })
  const parts = formats.map((format, part) => binding({binding: part, format, name: `part${part}`, width: group}))
  return {
    code: () => `${parameters(['count'])}
${parts.join('\n')}
${binding({binding: formats.length, format: to, name: 'joined', output: true, width: group})}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = ${FLAT_WORKGROUP} * ${INVOCATIONS}u + lane;
  if (i >= params.count) { return; }
  let row = i * ${group}u / ${columns}u;
  let column = i * ${group}u % ${columns}u;
  ${branches.join('\n  ')}
}`,
    key: `${widths.join()} ${formats.join()} ${to}`,
    name: 'join columns',
  }
}

export function joinGrid(count: number): Grid {
  return flatGrid(Math.ceil(count / INVOCATIONS))
}
