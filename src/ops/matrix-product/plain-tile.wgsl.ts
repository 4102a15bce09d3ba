/**
 * Products on any device: f32 sums in registers from f32 tiles in workgroup memory, 16 KiB of it at most, no subgroups.
 *
 * Both tiles are staged with the terms of the sum outermost, in 4×4 blocks that an invocation turns over in registers
 * where the operand lies the other way. An invocation keeps four or eight rows and columns of the result.
 */
import {type Shader} from '../../backend/gpu/shader.js'
import {operandCode, readsWhole} from './operand.wgsl.js'
import {resultCode, tileOrigin} from './result.wgsl.js'
import {keyOf, type Operand, pairsOf, productParameters, type Program} from './tile-program.js'

export interface PlainShape {
  readonly rows: number
  readonly columns: number
  /** Terms that are staged at once */
  readonly depth: number
  /** Rows and columns of the result that one invocation keeps, a multiple of four */
  readonly own: readonly [number, number]
}

const invocationsOf = ({columns, own, rows}: PlainShape): number => (rows / own[0]) * (columns / own[1])

/** `divided` sums are stored in parts: an unfinished result for each z of the grid. */
export function plainProduct(program: Program, shape: PlainShape, divided: boolean): Shader {
  const {columns, depth, own, rows} = shape
  return {
    code: () => plainCode(program, shape, divided),
    key: `${keyOf(program)}@${rows}x${columns}x${depth}/${own.join('x')}${divided ? ':parts' : ''}`,
    name: 'matrix product',
  }
}

function plainCode(program: Program, shape: PlainShape, divided: boolean): string {
  const {columns, depth, rows} = shape
  const pairs = pairsOf(program)
  const operands = pairs.flat()
  return `${productParameters(program)}
${operands.map((operand, slot) => operandCode(operand, slot, 'four')).join('\n')}
${resultCode(program, operands.length)}
var<workgroup> left_tile: array<f32, ${rows * depth}>;
var<workgroup> right_tile: array<f32, ${columns * depth}>;
@compute @workgroup_size(${invocationsOf(shape)})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32) {
  ${tileOrigin(program, [rows, columns])}
  let own_m = thread / ${columns / shape.own[1]}u;
  let own_n = thread % ${columns / shape.own[1]}u;
  ${eachSum(shape, (i, q) => `var sum_${i}_${q} = vec4<f32>();`).join('\n  ')}
  ${sumLoop(shape, pairs[0], divided ? 'span' : 'all')}
  ${pairs.length > 1 ? sumLoop(shape, pairs[1], divided ? 'first' : 'all') : ''}
  ${eachSum(shape, (i, q) => `emit(group.z, origin_m + ${row(shape, i)}, origin_n + ${column(shape, q)} * 4u, sum_${i}_${q});`).join('\n  ')}
}
`
}

function eachSum({own: [down, across]}: PlainShape, code: (i: number, q: number) => string): string[] {
  const quads = across / 4
  return Array.from({length: down * quads}, (_, s) => code(Math.floor(s / quads), s % quads))
}

// Neighbouring invocations own neighbouring fours, so that they read and store without gaps.
const row = ({own, rows}: PlainShape, i: number): string =>
  `(own_m + ${Math.floor(i / 4) * (rows / own[0])}u) * 4u + ${i % 4}u`
const column = ({columns, own}: PlainShape, q: number): string => `(own_n + ${q * (columns / own[1])}u)`

/** Adds the products of one pair: all terms, those of this part, or all terms in the first part only. */
function sumLoop(
  shape: PlainShape,
  [left, right]: readonly [Operand, Operand],
  terms: 'all' | 'span' | 'first',
): string {
  const {columns, depth, own, rows} = shape
  const length = left.along ? `${left.columns}u` : left.lines
  const from = terms === 'span' ? 'group.z * params.span' : '0u'
  const to = {
    all: length,
    first: `select(0u, ${length}, group.z == 0u)`,
    span: `min(${length}, (group.z + 1u) * params.span)`,
  }
  const fours = (tile: string, extent: number, at: string): string => {
    const lanes = [0, 1, 2, 3].map((lane) => `${tile}[t * ${extent}u + (${at}) * 4u + ${lane}u]`)
    return `vec4<f32>(${lanes.join(', ')})`
  }
  const reads = [
    ...Array.from(
      {length: own[0] / 4},
      (_, p) => `let a_${p} = ${fours('left_tile', rows, `own_m + ${p * (rows / own[0])}u`)};`,
    ),
    ...Array.from({length: own[1] / 4}, (_, q) => `let b_${q} = ${fours('right_tile', columns, column(shape, q))};`),
  ]
  return `for (var k = ${from}; k < ${to[terms]}; k += ${depth}u) {
    workgroupBarrier();
    ${stage(left, 'left_tile', rows, 'origin_m', shape)}
    ${stage(right, 'right_tile', columns, 'origin_n', shape)}
    workgroupBarrier();
    for (var t = 0u; t < ${depth}u; t++) {
      ${reads.join('\n      ')}
      ${eachSum(shape, (i, q) => `sum_${i}_${q} += a_${Math.floor(i / 4)}[${i % 4}] * b_${q};`).join('\n      ')}
    }
  }`
}

/** One operand's part of a tile: four numbers at a time, or single ones where lines do not consist of whole fours. */
function stage(operand: Operand, tile: string, extent: number, origin: string, shape: PlainShape): string {
  const {along, name} = operand
  const {depth} = shape
  const whole = readsWhole(operand, 'four')
  const lanes = whole ? 4 : 1
  const across = (along ? depth : extent) / lanes
  const place = along ? `${origin} + line, k + at` : `k + line, ${origin} + at`
  const to = (lane: number): string =>
    along ? `${tile}[(at + ${lane}u) * ${extent}u + line]` : `${tile}[line * ${extent}u + at + ${lane}u]`
  const puts = whole ? [0, 1, 2, 3].map((lane) => `${to(lane)} = value[${lane}];`) : [`${to(0)} = value;`]
  return `for (var slot = thread; slot < ${(extent * depth) / lanes}u; slot += ${invocationsOf(shape)}u) {
      let line = slot / ${across}u;
      let at = slot % ${across}u * ${lanes}u;
      let value = ${whole ? 'read' : 'single'}_${name}(${place});
      ${puts.join(' ')}
    }`
}
