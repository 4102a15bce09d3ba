/**
 * Block products on matrix units: f16 factors, f32 sums, 16×16×16 at a time by subgroups of 32.
 *
 * Layout as in matrix-product/matrix-units.wgsl.ts: eight f16 in an element of workgroup memory, lines padded by one element
 * against bank conflicts. Four subgroups make a result, two by two, so its rows and columns are multiples of 32: a 64 × 64
 * result is 2 × 2 pieces for each, which load as many pieces as they multiply. 64 terms are staged at once (18 KiB for both
 * factors), which most products here do not exceed. Results reach the invocations through the same memory (17 KiB).
 */
import {type Area, BARRIER, type Blocks, type Factor} from './blocks.js'

const SUBGROUP = 32
const PIECE = 16
/** Subgroups down and across a result */
const SIDE = 2
const INVOCATIONS = SIDE * SIDE * SUBGROUP
const MOST_DEPTH = 64

/** Sizes of factors and results are multiples of this. */
export const UNITS_MULTIPLE = SIDE * PIECE

const range = (count: number): number[] => Array.from({length: count}, (_, index) => index)

const depthOf = (terms: number): number => (terms % MOST_DEPTH === 0 ? MOST_DEPTH : UNITS_MULTIPLE)

/** Elements in a line of so many f16, padding included */
const lineOf = (halves: number): number => halves / 8 + 1

/** Vectors of four f32 in a line of a result, padding included */
const resultLine = ({columns}: Area): number => columns / 4 + 1

/** A staged factor takes at most this, whichever way it lies. */
const stageSize = (extent: number): number => Math.max(extent * lineOf(MOST_DEPTH), MOST_DEPTH * lineOf(extent))

const eachPiece = ({columns, rows}: Area, code: (i: number, j: number) => string): string => {
  const [down, across] = [rows / UNITS_MULTIPLE, columns / UNITS_MULTIPLE]
  return range(down * across)
    .map((piece) => code(Math.floor(piece / across), piece % across))
    .join('\n')
}

interface Stage {
  readonly load: string
  readonly store: string
}

/** How all invocations bring a factor's next terms into workgroup memory: asked for before the barrier, stored behind it. */
function stage(side: 'left' | 'right', extent: number, depth: number, {along, quad}: Factor): Stage {
  const perLine = (along ? depth : extent) / 8
  const chunks = (extent * depth) / 8 / INVOCATIONS
  const loads: string[] = []
  const stores: string[] = []
  for (const chunk of range(chunks)) {
    const id = `${side}_${chunk}`
    const [line, at] = [`line_${id}`, `at_${id}`]
    const read = (more: number): string =>
      along ? quad(line, `(k + ${at} + ${more}u)`) : quad(`(k + ${line})`, `(${at} + ${more}u)`)
    loads.push(`let ${line} = (thread + ${chunk * INVOCATIONS}u) / ${perLine}u;
    let ${at} = (thread + ${chunk * INVOCATIONS}u) % ${perLine}u * 8u;
    let value_${id} = in_halves(${read(0)}, ${read(4)});`)
    const start = side === 'left' ? '' : 'RIGHT + '
    stores.push(`staged[${start}${line} * ${perLine + 1}u + ${at} / 8u] = value_${id};`)
  }
  return {load: loads.join('\n'), store: stores.join('\n')}
}

/** Loads a piece: `first` is its first row or column, `term` its first term. */
function loadPiece(name: string, side: 'left' | 'right', from: Place, first: string, term: string): string {
  const {along, line, memory, start} = from
  const [lines, inLine] = along ? [first, term] : [term, first]
  const order = along === (side === 'left') ? 'row_major' : 'col_major'
  const type = `subgroup_matrix_${side}<f16, 16, 16>`
  return `let ${name} = subgroupMatrixLoad<${type}, ${order}>(&${memory}, ${start} + (${lines}) * ${line}u + (${inLine}) / 8u, ${line}u);`
}

interface Place {
  readonly memory: 'staged' | 'kept'
  readonly start: string
  readonly along: boolean
  readonly line: number
}

function multiply(result: string, area: Area, terms: number, left: Factor | 'kept', right: Factor): string {
  const depth = depthOf(terms)
  const kept = left === 'kept'
  const none: Stage = {load: '', store: ''}
  const stages = [kept ? none : stage('left', area.rows, depth, left), stage('right', area.columns, depth, right)]
  const leftPlace: Place = kept
    ? {along: true, line: lineOf(terms), memory: 'kept', start: '0u'}
    : {along: left.along, line: lineOf(left.along ? depth : area.rows), memory: 'staged', start: '0u'}
  const rightLine = lineOf(right.along ? depth : area.columns)
  const rightPlace: Place = {along: right.along, line: rightLine, memory: 'staged', start: 'RIGHT'}
  const [down, across] = [area.rows / SIDE, area.columns / SIDE]
  const step = (term: number): string => `{
    ${range(down / PIECE)
      .map((i) =>
        loadPiece(`left_${i}`, 'left', leftPlace, `down * ${down}u + ${i * PIECE}u`, `${kept ? 'k + ' : ''}${term}u`),
      )
      .join('\n')}
    ${range(across / PIECE)
      .map((j) => loadPiece(`right_${j}`, 'right', rightPlace, `across * ${across}u + ${j * PIECE}u`, `${term}u`))
      .join('\n')}
    ${eachPiece(area, (i, j) => `${result}_sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(left_${i}, right_${j}, ${result}_sum_${i}_${j});`)}
  }`
  return `for (var k = 0u; k < ${terms}u; k += ${depth}u) {
    ${stages.map(({load}) => load).join('\n')}
    ${BARRIER}
    ${stages.map(({store}) => store).join('\n')}
    ${BARRIER}
    ${range(depth / PIECE)
      .map((piece) => step(piece * PIECE))
      .join('\n')}
  }`
}

/** Two slots lie side by side, so that an invocation has eight numbers that it can keep as one element. */
const slotsOf = ({columns, rows}: Area): number[] => range((rows * columns) / 4 / INVOCATIONS)

const rowOf = (slot: number, {columns}: Area): string =>
  `(thread + ${Math.floor(slot / 2) * INVOCATIONS}u) / ${columns / 8}u`
const columnOf = (slot: number, {columns}: Area): string =>
  `((thread + ${Math.floor(slot / 2) * INVOCATIONS}u) % ${columns / 8}u * 8u + ${(slot % 2) * 4}u)`

const each = (area: Area, code: (slot: number) => string): string =>
  slotsOf(area)
    .map((slot) => `{ let row = ${rowOf(slot, area)}; let column = ${columnOf(slot, area)}; ${code(slot)} }`)
    .join('\n')

export const matrixBlocks: Blocks = {
  // Zero by a value of its own: in a loop, a variable that is declared without one keeps that of the round before in Dawn.
  begin: (result, area) =>
    eachPiece(area, (i, j) => `var ${result}_sum_${i}_${j} = subgroup_matrix_result<f32, 16, 16>();`),
  constants: `let down = thread / ${SUBGROUP}u % ${SIDE}u;
  let across = thread / ${SUBGROUP * SIDE}u;`,
  declare(areas, kept) {
    const right = Math.max(...areas.map(({rows}) => stageSize(rows)))
    const staged = right + Math.max(...areas.map(({columns}) => stageSize(columns)))
    const results = Math.max(...areas.map((area) => area.rows * resultLine(area)))
    return `const RIGHT = ${right}u;
var<workgroup> staged: array<vec4<u32>, ${Math.max(staged, results)}>;
${kept ? `var<workgroup> kept: array<vec4<u32>, ${kept.rows * lineOf(kept.columns)}>;` : ''}
fn in_halves(low: vec4<f32>, high: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}`
  },
  each,
  enables: `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`,
  finish(result, area) {
    const line = resultLine(area)
    const store = (i: number, j: number): string => {
      const row = `down * ${area.rows / SIDE}u + ${i * PIECE}u`
      const quad = `across * ${area.columns / SIDE / 4}u + ${j * 4}u`
      return `subgroupMatrixStore<row_major>(&staged, (${row}) * ${line}u + ${quad}, ${result}_sum_${i}_${j}, ${line}u);`
    }
    const take = (slot: number): string =>
      `var ${result}_${slot} = bitcast<vec4<f32>>(staged[${rowOf(slot, area)} * ${line}u + ${columnOf(slot, area)} / 4u]);`
    return [BARRIER, eachPiece(area, store), BARRIER, ...slotsOf(area).map(take)].join('\n')
  },
  invocations: INVOCATIONS,
  keep(result, area) {
    const put = (slot: number): string =>
      slot % 2 === 0
        ? `kept[row * ${lineOf(area.columns)}u + column / 8u] = in_halves(${result}_${slot}, ${result}_${slot + 1});`
        : ''
    return `${BARRIER}\n${each(area, put)}`
  },
  multiply,
  name: 'matrix units',
  show: (_slot, value, area) => `staged[row * ${resultLine(area)}u + column / 4u] = bitcast<vec4<u32>>(${value});`,
  shown: (row, column, area) =>
    `bitcast<f32>(staged[(${row}) * ${resultLine(area)}u + (${column}) / 4u][(${column}) % 4u])`,
  slots: slotsOf,
}
