/**
 * The second stage of a divided sum: y = Σ_p parts[p] + bias, always in the same order. A workgroup makes a few results;
 * where there are many parts, invocations first add every `slices`-th of them.
 */
import {binding, FLAT_WORKGROUP, flatGrid, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'
import {type FloatFormat} from './tile-program.js'

const INVOCATIONS = 256

export interface PartsProgram {
  readonly columns: number
  readonly parts: number
  readonly bias: boolean
  readonly output: FloatFormat
}

/** Invocations that share the parts of one result */
function slicesOf(parts: number): number {
  if (parts >= 32) return 16
  return parts >= 8 ? 4 : 1
}

const widthOf = (columns: number): 1 | 4 => (columns % 4 === 0 ? 4 : 1)

/** For a result of `count` numbers. */
export function partsGrid({columns, parts}: PartsProgram, count: number): Grid {
  return flatGrid(Math.ceil(count / widthOf(columns) / (INVOCATIONS / slicesOf(parts))))
}

/** Inputs: parts (p, rows, columns), then the bias; whole: groups of numbers in a part, number of parts. */
export function sumParts(program: PartsProgram): Shader {
  const {bias, columns, output} = program
  const width = widthOf(columns)
  const slices = slicesOf(program.parts)
  return {
    code: () => partsCode(program, width, slices),
    key: `${width}:${slices}:${output}${bias ? `:${columns}` : ''}`,
    name: 'sum of the parts of a product',
  }
}

export const partsCount = (count: number, columns: number): number => count / widthOf(columns)

function partsCode({bias, columns, output}: PartsProgram, width: 1 | 4, slices: number): string {
  const type = width === 4 ? 'vec4<f32>' : 'f32'
  const positions = INVOCATIONS / slices
  const shared = slices > 1
  return `${parameters(['count', 'parts'])}
${binding({binding: 0, format: 'f32', name: 'parts', width})}
${bias ? binding({binding: 1, format: 'f32', name: 'bias', width}) : ''}
${binding({binding: bias ? 2 : 1, format: output, name: 'y', output: true, width})}
${shared ? `var<workgroup> sums: array<${type}, ${INVOCATIONS}>;` : ''}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32) {
  let at = ${FLAT_WORKGROUP} * ${positions}u + thread % ${positions}u;
  let slice = thread / ${positions}u;
  var sum = ${type}();
  if (at < params.count) {
    for (var p = slice; p < params.parts; p += ${slices}u) { sum += load_parts(p * params.count + at); }
  }
  ${shared ? `sums[thread] = sum;\n  workgroupBarrier();` : ''}
  if (slice > 0u || at >= params.count) { return; }
  ${shared ? `for (var s = 1u; s < ${slices}u; s++) { sum += sums[s * ${positions}u + thread]; }` : ''}
  store_y(at, sum${bias ? ` + load_bias(at % ${columns / width}u)` : ''});
}
`
}
