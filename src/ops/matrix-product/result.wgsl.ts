/** What every product does with its sums: which tile a workgroup makes, and how neighbouring results are stored. */
import {binding, FLAT_WORKGROUP, flatGrid, type Grid} from '../../backend/gpu/shader.js'
import {EIGHT} from './operand.wgsl.js'
import {type Program, sizesOf} from './tile-program.js'

/**
 * Rows of tiles that are worked through together, column by column, so that workgroups that run at the same time share
 * both operands in the cache: 16 rows and some 16 columns of tiles are on a large device at once.
 */
const BAND = 16

/** Workgroups for tiles of the given size; parts of a divided sum lie along z. */
export function tileGrid(rows: number, columns: number, tile: readonly [number, number], parts: number): Grid {
  const [x, y] = flatGrid(Math.ceil(rows / tile[0]) * Math.ceil(columns / tile[1]))
  return [x, y, parts]
}

/** Statements that set `origin_m` and `origin_n` to the first row and column of this workgroup's tile, or return. */
export function tileOrigin(program: Program, tile: readonly [number, number]): string {
  const {m} = sizesOf(program)
  const across = Math.ceil(program.columns / tile[1])
  return `let tile = ${FLAT_WORKGROUP};
  let tiles_m = (${m} + ${tile[0] - 1}u) / ${tile[0]}u;
  if (tile >= tiles_m * ${across}u) { return; }
  let band = tile / ${BAND * across}u * ${BAND}u;
  let in_band = tile % ${BAND * across}u;
  let height = min(${BAND}u, tiles_m - band);
  let origin_m = (band + in_band % height) * ${tile[0]}u;
  let origin_n = in_band / height * ${tile[1]}u;`
}

/** Neighbouring results that are stored at once: sixteen bytes where the format and the rows' length allow it. */
export type Lanes = 4 | 8
export const lanesOf = (program: Program): Lanes => (program.output === 'f16' && dividesRows(program, 8) ? 8 : 4)

/** Rows of the result begin at multiples of so many numbers, and end at them. */
const dividesRows = ({columns, into}: Program, lanes: Lanes): boolean =>
  columns % lanes === 0 && (into?.stride ?? 0) % lanes === 0

/** WGSL: a row's first number in what is stored, and a column's number in a whole row. */
function placeCode(program: Program): {readonly line: string; readonly column: string} {
  const {columns, into} = program
  if (!into) return {column: 'column', line: `(part * ${sizesOf(program).m} + row) * ${columns}u`}
  return {column: '(params.y_offset + column)', line: `row * ${into.stride}u + params.y_offset`}
}

/**
 * Bindings of bias and result, `put(part, row, column, sum)`, which scales, adds the bias and stores, and `emit`, which
 * does so with what lies inside of the result. Columns come in fours, from a multiple of four, or in eights likewise: `Eight`.
 */
export function resultCode(program: Program, slot: number, lanes: Lanes = 4): string {
  const {columns} = program
  const {m} = sizesOf(program)
  const sum = lanes === 8 ? 'Eight' : 'vec4<f32>'
  return `${lanes === 8 ? eightCode(program, slot) : fourCode(program, slot)}
fn emit(part: u32, row: u32, column: u32, sum: ${sum}) {
  if (row >= ${m} || column >= ${columns}u) { return; }
  put(part, row, column, sum);
}`
}

function biasBinding({bias}: Program, slot: number, width: 1 | 4): string {
  return bias ? binding({binding: slot, format: 'f32', name: 'bias', width}) : ''
}

function fourCode(program: Program, slot: number): string {
  const {bias, columns, into, output} = program
  const whole = dividesRows(program, 4)
  const width = whole ? 4 : 1
  const {column, line} = placeCode(program)
  const add = (index: string, place: string): string =>
    `${bias ? ` + load_bias(${index})` : ''}${into?.adds ? ` + load_y(${place})` : ''}`
  const store = whole
    ? `store_y((line + column) / 4u, value${add(`${column} / 4u`, '(line + column) / 4u')});`
    : `for (var i = 0u; i < 4u; i++) {
    if (column + i < ${columns}u) { store_y(line + column + i, value[i]${add(`${column} + i`, 'line + column + i')}); }
  }`
  return `${biasBinding(program, slot, width)}
${binding({binding: slot + (bias ? 1 : 0), format: output, name: 'y', output: true, width})}
fn put(part: u32, row: u32, column: u32, sum: vec4<f32>) {
  let line = ${line};
  let value = sum * params.scale;
  ${store}
}`
}

function eightCode(program: Program, slot: number): string {
  const {bias} = program
  const {column, line} = placeCode(program)
  const add = (index: string): string => (bias ? ` + load_bias(${index})` : '')
  return `${EIGHT}
${biasBinding(program, slot, 4)}
@group(0) @binding(${slot + (bias ? 1 : 0)}) var<storage, read_write> y: array<vec4<u32>>;
fn put(part: u32, row: u32, column: u32, sum: Eight) {
  let low = sum.low * params.scale${add(`${column} / 4u`)};
  let high = sum.high * params.scale${add(`${column} / 4u + 1u`)};
  y[(${line} + column) / 8u] = vec4<u32>(
    pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}`
}
