/**
 * y = x Wᵀ for a few rows of x, as in decoding: weights go straight from storage to registers, once for four rows.
 *
 * A team of invocations makes four neighbouring columns of up to four rows. Its members divide the terms of the sum, eight
 * at a time (one, where lines do not consist of whole eights), and their sums are added in workgroup memory.
 */
import {FLAT_WORKGROUP, flatGrid, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {EIGHT, operandCode, readsWhole} from './operand.wgsl.js'
import {resultCode} from './result.wgsl.js'
import {keyOf, type Operand, pairsOf, productParameters, type Program} from './tile-program.js'

export const MOST_ROWS = 16

const INVOCATIONS = 64
const TEAM = 32
const TEAMS = INVOCATIONS / TEAM

/** Rows of a workgroup: one, two or four. More rows take more workgroups, which find the weights in the cache. */
const roomOf = (rows: number): number => Math.min(4, 2 ** Math.ceil(Math.log2(rows)))

const columnGroups = (columns: number): number => Math.ceil(columns / (TEAMS * 4))

export function fewRowsGrid(rows: number, columns: number): Grid {
  return flatGrid(columnGroups(columns) * Math.ceil(rows / roomOf(rows)))
}

export function fewRowsProduct(program: Program, rows: number): Shader {
  const room = roomOf(rows)
  return {
    code: () => fewRowsCode(program, room),
    key: `${keyOf(program)}@${room}`,
    name: 'matrix product of few rows',
  }
}

function fewRowsCode(program: Program, room: number): string {
  const pairs = pairsOf(program)
  const wholes = pairs.map((pair) => pair.every((operand) => readsWhole(operand, 'eight')))
  const operands = pairs.flat().map((operand, slot) => operandCode(operand, slot, 'eight', wholes[slot >> 1]))
  const rows = Array.from({length: room}, (_, m) => m)
  return `${productParameters(program)}
${EIGHT}
${operands.join('\n')}
${resultCode(program, operands.length)}
var<workgroup> sums: array<vec4<f32>, ${INVOCATIONS * room}>;
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32) {
  let row_groups = (params.rows + ${room - 1}u) / ${room}u;
  let row = ${FLAT_WORKGROUP} % row_groups * ${room}u;
  let first = ${FLAT_WORKGROUP} / row_groups * ${TEAMS * 4}u;
  let column = first + thread / ${TEAM}u * 4u;
  let member = thread % ${TEAM}u;
  ${rows.map((m) => `var sum_${m} = vec4<f32>();`).join('\n  ')}
  ${pairs.map((pair, index) => sumLoop(pair, rows, wholes[index])).join('\n  ')}
  ${rows.map((m) => `sums[${m * INVOCATIONS}u + thread] = sum_${m};`).join('\n  ')}
  workgroupBarrier();
  if (thread >= ${TEAMS * room}u) { return; }
  // Each begins with another member, so that they read different banks.
  var whole = vec4<f32>();
  for (var i = thread; i < thread + ${TEAM}u; i++) { whole += sums[thread * ${TEAM}u + i % ${TEAM}u]; }
  emit(0u, row + thread / ${TEAMS}u, first + thread % ${TEAMS}u * 4u, whole);
}
`
}

function sumLoop([left, right]: readonly [Operand, Operand], rows: readonly number[], whole: boolean): string {
  const lanes = [0, 1, 2, 3]
  const read = whole ? 'read' : 'single'
  const weights = lanes.map((lane) => `let w_${lane} = ${read}_${right.name}(column + ${lane}u, k);`)
  const term = (lane: number): string =>
    whole ? `dot(w_${lane}.low, x.low) + dot(w_${lane}.high, x.high)` : `w_${lane} * x`
  const products = `vec4<f32>(${lanes.map(term).join(', ')})`
  const adds = rows.map((m) => `{ let x = ${read}_${left.name}(row + ${m}u, k); sum_${m} += ${products}; }`)
  const step = whole ? 8 : 1
  return `for (var k = member * ${step}u; k < ${left.columns}u; k += ${TEAM * step}u) {
    ${[...weights, ...adds].join('\n    ')}
  }`
}
