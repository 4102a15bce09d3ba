/**
 * Products on matrix units: f16 operands, f32 sums, in 16×16×16 pieces that a subgroup of 32 multiplies together.
 *
 * Both operands of a tile are staged in workgroup memory, eight f16 at a time, in lines padded by eight f16 against bank
 * conflicts. Operands in f32 are rounded to f16 on the way. Subgroups divide the tile (down × across) and, where the tile
 * is too small to occupy them, the terms of the sum (deep); the latter's sums are added while the tile is stored, which
 * goes through workgroup memory 16 rows at a time for the sake of bias, format and borders.
 */
import {type Shader} from '../../backend/gpu/shader.js'
import {operandCode, readsWhole} from './operand.wgsl.js'
import {type Lanes, lanesOf, resultCode, tileOrigin} from './result.wgsl.js'
import {keyOf, type Operand, pairsOf, productParameters, type Program, sizesOf} from './tile-program.js'

const SUBGROUP = 32
const PIECE = 16

export interface MatrixShape {
  readonly rows: number
  readonly columns: number
  /** Terms that are staged at once */
  readonly depth: number
  /** How subgroups divide rows, columns and terms */
  readonly down: number
  readonly across: number
  readonly deep: number
}

interface Cut extends MatrixShape {
  readonly invocations: number
  /** Pieces of a subgroup, down and across */
  readonly pieces: readonly [number, number]
  /** Vectors of four f32 in a line of the memory that results pass through */
  readonly resultLine: number
}

function cutOf(shape: MatrixShape): Cut {
  const {across, columns, deep, down, rows} = shape
  const pieces = [rows / down / PIECE, columns / across / PIECE] as const
  return {...shape, invocations: down * across * deep * SUBGROUP, pieces, resultLine: pieces[1] * 4 + 1}
}

/** Vectors of eight f16 in a line of a staged tile, padding included. */
const lineOf = (along: boolean, extent: number, depth: number): number => (along ? depth : extent) / 8 + 1

function tileVectors(along: boolean, extent: number, depth: number): number {
  return (along ? extent : depth) * lineOf(along, extent, depth)
}

/** Bytes of workgroup memory that the shape takes with the operands' layouts. */
export function matrixBytes(shape: MatrixShape, kind: Program['kind']): number {
  const {across, deep, depth, down, resultLine} = cutOf(shape)
  const tiles = tileVectors(kind !== 'TN', shape.rows, depth) + tileVectors(kind === 'NT', shape.columns, depth)
  return 16 * Math.max(tiles, down * across * deep * PIECE * resultLine)
}

/** `divided` sums are stored in parts: an unfinished result for each z of the grid. */
export function matrixProduct(program: Program, shape: MatrixShape, divided: boolean): Shader {
  const {across, columns, deep, depth, down, rows} = shape
  const cut = `${rows}x${columns}x${depth}/${down}x${across}x${deep}`
  return {
    code: () => matrixCode(program, cutOf(shape), divided),
    key: `${keyOf(program)}@${cut}${divided ? ':parts' : ''}`,
    name: 'matrix product on matrix units',
  }
}

function matrixCode(program: Program, cut: Cut, divided: boolean): string {
  const {columns, deep, depth, down, invocations, rows} = cut
  const pairs = pairsOf(program)
  const operands = pairs.flat()
  const [[left]] = pairs
  return `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
${productParameters(program)}
${operands.map((operand, slot) => operandCode(operand, slot, 'halves')).join('\n')}
${resultCode(program, operands.length, lanesOf(program))}
// Eight f16 of the left tile, then of the right one, in an element; in the end four f32 of results.
const RIGHT = ${tileVectors(left.along, rows, depth)}u;
var<workgroup> staged: array<vec4<u32>, ${matrixBytes(cut, program.kind) / 16}>;
@compute @workgroup_size(${invocations})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32) {
  ${tileOrigin(program, [rows, columns])}
  let subgroup = thread / ${SUBGROUP}u;
  let deep = subgroup % ${deep}u;
  let down = subgroup / ${deep}u % ${down}u;
  let across = subgroup / ${deep * down}u;
  ${eachPiece(cut, (i, j) => `var sum_${i}_${j}: subgroup_matrix_result<f32, 16, 16>;`).join('\n  ')}
  ${sumLoop(cut, pairs[0], divided ? 'span' : 'all')}
  ${pairs.length > 1 ? sumLoop(cut, pairs[1], divided ? 'first' : 'all') : ''}
  ${storeTile(program, cut)}
}
`
}

function eachPiece({pieces: [down, across]}: Cut, code: (i: number, j: number) => string): string[] {
  return Array.from({length: down * across}, (_, p) => code(Math.floor(p / across), p % across))
}

/** Adds the products of one pair: all terms, those of this part, or all terms in the first part only. */
function sumLoop(cut: Cut, pair: readonly [Operand, Operand], terms: 'all' | 'span' | 'first'): string {
  const {columns, depth, rows} = cut
  const [left, right] = pair
  const length = left.along ? `${left.columns}u` : left.lines
  const checked = !left.along || left.columns % depth !== 0
  const from = terms === 'span' ? 'group.z * params.span' : '0u'
  const to = {
    all: length,
    first: `select(0u, ${length}, group.z == 0u)`,
    span: `min(${length}, (group.z + 1u) * params.span)`,
  }
  const stages = [
    stage(left, '0u', rows, 'origin_m', cut, checked ? length : null),
    stage(right, 'RIGHT', columns, 'origin_n', cut, checked ? length : null),
  ]
  return `{
  ${stages.flatMap(({before}) => before).join('\n  ')}
  let last = ${to[terms]};
  for (var k = ${from}; k < last; k += ${depth}u) {
    ${stages.flatMap(({load}) => load).join('\n    ')}
    workgroupBarrier();
    ${stages.flatMap(({store}) => store).join('\n    ')}
    workgroupBarrier();
    ${multiply(left.along, right.along, cut).join('\n    ')}
  }
  }`
}

interface Stage {
  /** Once, before the loop */
  readonly before: string[]
  readonly load: string[]
  readonly store: string[]
}

/** How the invocations together bring one operand's part of a tile into workgroup memory. */
function stage(operand: Operand, start: string, extent: number, origin: string, cut: Cut, terms: string | null): Stage {
  const {depth, invocations} = cut
  const {along, columns, lines, name} = operand
  const vectors = (along ? depth : extent) / 8
  const chunks = (along ? extent : depth) * vectors
  const whole = readsWhole(operand, 'halves')
  const result: Stage = {before: [], load: [], store: []}
  for (let c = 0; c * invocations < chunks; c++) {
    const id = `${name}_${c}`
    const term = along ? `k + vector_${id} * 8u` : `k + line_${id}`
    const other = along ? `${origin} + line_${id}` : `${origin} + vector_${id} * 8u`
    const full = (c + 1) * invocations <= chunks
    const chunk = `thread + ${c * invocations}u`
    result.before.push(
      `let chunk_${id} = ${full ? chunk : `min(${chunk}, ${chunks - 1}u)`};`,
      `let line_${id} = chunk_${id} / ${vectors}u;`,
      `let vector_${id} = chunk_${id} % ${vectors}u;`,
    )
    if (whole) {
      // Beyond the border of the result a neighbour is read instead: what it makes is not stored. Beyond the last term, the
      // last one, which becomes zero where it is staged: a load in a branch would be waited for at the branch's end.
      const line = along ? `min(${other}, ${lines} - 1u)` : `line_${id}`
      const column = along ? `vector_${id} * 8u` : `min(${other}, ${columns - 8}u)`
      const [fixed, moving] = along
        ? [`${line} * params.${name}_stride`, terms ? `min(${term}, ${columns - 8}u)` : `${column} + k`]
        : [column, `${terms ? `min(${term}, ${terms} - 1u)` : `(${term})`} * params.${name}_stride`]
      result.before.push(`let at_${id} = params.${name}_offset + ${fixed};`)
      result.load.push(`let v_${id} = take_${name}(at_${id} + ${moving});`)
    } else {
      result.load.push(`let v_${id} = read_${name}(${along ? `${other}, ${term}` : `${term}, ${other}`});`)
    }
    const value = whole && terms ? `select(vec4<u32>(), v_${id}, ${term} < ${terms})` : `v_${id}`
    const put = `staged[${start} + line_${id} * ${vectors + 1}u + vector_${id}] = ${value};`
    result.store.push(full ? put : `if (thread < ${chunks - c * invocations}u) { ${put} }`)
  }
  return result
}

/** The sums of a subgroup over what is staged. */
function multiply(leftAlong: boolean, rightAlong: boolean, cut: Cut): string[] {
  const {across, columns, deep, depth, down, pieces, rows} = cut
  const code: string[] = []
  for (let step = 0; step < depth / PIECE / deep; step++) {
    const terms = `(${step * deep}u + deep) * ${PIECE}u`
    const load = (side: 'left' | 'right', along: boolean, extent: number, first: string, piece: number): string => {
      const line = lineOf(along, extent, depth)
      const lines = along ? `(${first} + ${piece * PIECE}u)` : terms
      const vector = along ? `${terms} / 8u` : `(${first} + ${piece * PIECE}u) / 8u`
      const order = along === (side === 'left') ? 'row_major' : 'col_major'
      const type = `subgroup_matrix_${side}<f16, 16, 16>`
      return `let ${side}_${piece} = subgroupMatrixLoad<${type}, ${order}>(&staged, ${side === 'left' ? '0u' : 'RIGHT'} + ${lines} * ${line}u + ${vector}, ${line}u);`
    }
    code.push('{')
    for (let i = 0; i < pieces[0]; i++) code.push(load('left', leftAlong, rows, `down * ${rows / down}u`, i))
    for (let j = 0; j < pieces[1]; j++) {
      code.push(load('right', rightAlong, columns, `across * ${columns / across}u`, j))
    }
    code.push(
      ...eachPiece(
        cut,
        (i, j) => `sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(left_${i}, right_${j}, sum_${i}_${j});`,
      ),
      '}',
    )
  }
  return code
}

/**
 * Sixteen rows of every subgroup at a time pass through workgroup memory. The subgroups that have summed the same results
 * store them together. Their invocations lie along 32 columns of a row and then along the next one: rows are an odd number
 * of vectors long, so that invocations which read at once meet in no bank.
 */
function storeTile(program: Program, cut: Cut): string {
  const {across, columns, down, pieces, resultLine, rows} = cut
  const lanes = lanesOf(program)
  const wide = storedTogether(cut)
  const along = wide / lanes
  const block = PIECE * resultLine
  const tests = borderTests(program, cut)
  return `let storing = deep * ${SUBGROUP}u + thread % ${SUBGROUP}u;
  let at_row = storing / ${along}u % ${PIECE}u;
  let at_column = storing / ${along * PIECE}u * ${wide}u + storing % ${along}u * ${lanes}u;
  let at = (subgroup - deep) * ${block}u + at_row * ${resultLine}u + at_column / 4u;
  let row = origin_m + down * ${rows / down}u + at_row;
  let column = origin_n + across * ${columns / across}u + at_column;
  ${tests.length > 0 ? `let inside = ${tests.join(' && ')};` : ''}
  ${Array.from({length: pieces[0]}, (_, i) => storePieces(program, cut, i)).join('\n  ')}`
}

/** Columns of a row that neighbouring invocations store. */
const storedTogether = ({pieces}: Cut): number => (pieces[1] % 2 === 0 ? 32 : 16)

/** What has to be asked of a workgroup's tile to know that it lies within the result; nothing where all tiles do. */
function borderTests(program: Program, {columns, rows}: Cut): string[] {
  const {fixed, kind} = program
  const {m, n} = sizesOf(program)
  return [
    ...(kind === 'TN' && fixed % rows === 0 ? [] : [`origin_m + ${rows}u <= ${m}`]),
    ...(program.columns % columns === 0 ? [] : [`origin_n + ${columns}u <= ${n}`]),
  ]
}

/** Stores the i-th sixteen rows of every subgroup. */
function storePieces(program: Program, cut: Cut, i: number): string {
  const {deep, pieces, resultLine} = cut
  const lanes = lanesOf(program)
  const wide = storedTogether(cut)
  const together = deep * SUBGROUP
  const block = PIECE * resultLine
  const items = (PIECE * PIECE * pieces[1]) / lanes
  const put = Array.from(
    {length: pieces[1]},
    (_, j) =>
      `subgroupMatrixStore<row_major>(&staged, subgroup * ${block}u + ${j * 4}u, sum_${i}_${j}, ${resultLine}u);`,
  )
  const steps = Array.from({length: Math.ceil(items / together)}, (_, step) => {
    // Both are powers of two, so that a step moves by whole rows within 32 columns or by whole blocks of such.
    const lines = (step * together * lanes) / wide
    const [down, right] = [lines % PIECE, Math.floor(lines / PIECE) * wide]
    const from = down * resultLine + right / 4
    const store = (how: 'put' | 'emit'): string =>
      `${how}(group.z, row + ${i * PIECE + down}u, column + ${right}u, value_${step});`
    return {store, value: `let value_${step} = ${summed(cut, lanes, from)};`}
  })
  const whole = steps.slice(0, Math.floor(items / together)) // steps with work for every invocation
  const [rest] = steps.slice(whole.length)
  const all = (how: 'put' | 'emit'): string => whole.map(({store}) => store(how)).join('\n    ')
  return `workgroupBarrier();
  ${put.join('\n  ')}
  workgroupBarrier();
  {
    ${whole.map(({value}) => value).join('\n    ')}
    ${borderTests(program, cut).length === 0 ? all('put') : `if (inside) {\n    ${all('put')}\n    } else {\n    ${all('emit')}\n    }`}
  }
  ${items % together > 0 ? `if (storing < ${items % together}u) { ${rest.value} ${rest.store('emit')} }` : ''}`
}

/** Neighbouring results, with the sums of all subgroups that have a part of them. */
function summed({deep, resultLine}: Cut, lanes: Lanes, from: number): string {
  const four = (quad: number): string =>
    Array.from(
      {length: deep},
      (_, s) => `bitcast<vec4<f32>>(staged[at + ${from + quad + s * PIECE * resultLine}u])`,
    ).join(' + ')
  return lanes === 8 ? `Eight(${four(0)}, ${four(1)})` : four(0)
}
