/**
 * Block products on matrix units: f16 factors, f32 sums, 16×16×16 at a time by subgroups of 32.
 *
 * Layout as in matrix-product/matrix-units.wgsl.ts: eight f16 in an element of workgroup memory, lines padded by one element
 * against bank conflicts. Two rows of two or four subgroups make a result, so its rows are multiples of 32, and its columns
 * of 32 or 64. 64 terms are staged at once (18 KiB for both factors), which most products here do not exceed. Results reach
 * the invocations through the same memory (17 KiB).
 */
import {type Area, BARRIER, type Blocks, type Factor, type Factors, type Steps} from './blocks.js'

const SUBGROUP = 32
const PIECE = 16
/** Subgroups below each other */
const SIDE = 2
const MOST_DEPTH = 64

/** Rows and terms are multiples of this, and columns of 16 for each subgroup across. */
export const UNITS_MULTIPLE = SIDE * PIECE
/** Columns are multiples of this where there are four subgroups across. */
export const WIDE_MULTIPLE = 4 * PIECE

/** How a result is divided among subgroups. */
interface Side {
  readonly across: 2 | 4
  readonly invocations: number
}

const range = (count: number): number[] => Array.from({length: count}, (_, index) => index)

const depthOf = (terms: number): number => (terms % MOST_DEPTH === 0 ? MOST_DEPTH : UNITS_MULTIPLE)

/** Elements in a line of so many f16, padding included */
const lineOf = (halves: number): number => halves / 8 + 1

/** Vectors of four f32 in a line of a result, padding included */
const resultLine = ({columns}: Area): number => columns / 4 + 1

/** A staged factor takes at most this, whichever way it lies. */
const stageSize = (extent: number): number => Math.max(extent * lineOf(MOST_DEPTH), MOST_DEPTH * lineOf(extent))

const eachPiece = ({columns, rows}: Area, side: Side, code: (i: number, j: number) => string): string => {
  const [down, across] = [rows / UNITS_MULTIPLE, columns / PIECE / side.across]
  return range(down * across)
    .map((piece) => code(Math.floor(piece / across), piece % across))
    .join('\n')
}

interface Stage {
  readonly load: string
  readonly store: string
}

interface Staged {
  /** Names what is loaded */
  readonly id: string
  readonly which: 'left' | 'right'
  readonly extent: number
  readonly depth: number
  /** The first term */
  readonly k: number
}

/** How all invocations bring a factor's next terms into workgroup memory: asked for early, stored behind a barrier. */
function stage({depth, extent, id: of, k, which}: Staged, factor: Factor, {invocations}: Side): Stage {
  const {along} = factor
  const perLine = (along ? depth : extent) / 8
  const chunks = (extent * depth) / 8 / invocations
  const loads: string[] = []
  const stores: string[] = []
  for (const chunk of range(chunks)) {
    const id = `${of}_${which}_${chunk}`
    const [line, at] = [`line_${id}`, `at_${id}`]
    loads.push(`let ${line} = (thread + ${chunk * invocations}u) / ${perLine}u;
    let ${at} = (thread + ${chunk * invocations}u) % ${perLine}u * 8u;
    ${loadEight(id, factor, along ? line : `(${k}u + ${line})`, along ? `(${k}u + ${at})` : at)}`)
    const start = which === 'left' ? '' : 'RIGHT + '
    let scale = factor.scale?.(along ? line : `(${k}u + ${line})`)
    if (scale && factor.scaleIsRead) {
      loads.push(`let scale_${id} = ${scale};`)
      scale = `scale_${id}`
    }
    stores.push(`staged[${start}${line} * ${perLine + 1}u + ${at} / 8u] = ${storedEight(id, factor, scale)};`)
  }
  return {load: loads.join('\n'), store: stores.join('\n')}
}

/** Eight numbers as they come; what is done with them waits for them, so it follows when all have been asked for. */
function loadEight(id: string, {eight, quad}: Factor, line: string, at: string): string {
  if (eight) return `let eight_${id} = ${eight(line, at)};`
  return `let low_${id} = ${quad(line, at)}; let high_${id} = ${quad(line, `(${at} + 4u)`)};`
}

function storedEight(id: string, {eight}: Factor, scale: string | undefined): string {
  if (eight) return scale ? `scaled(eight_${id}, ${scale})` : `eight_${id}`
  if (!scale) return `in_halves(low_${id}, high_${id})`
  return `in_halves(${scale} * low_${id}, ${scale} * high_${id})`
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

function multiply(side: Side, id: string, result: string, area: Area, factors: Factors): Steps {
  const {left, right, terms} = factors
  const depth = depthOf(terms)
  const stages = range(terms / depth).map((index): Stage => {
    const of = {depth, id: `${id}_${index}`, k: index * depth}
    const parts = [stage({...of, extent: area.columns, which: 'right'}, right, side)]
    if (left !== 'kept') parts.unshift(stage({...of, extent: area.rows, which: 'left'}, left, side))
    return {load: parts.map(({load}) => load).join('\n'), store: parts.map(({store}) => store).join('\n')}
  })
  const round = (index: number, meanwhile: string): string => `${BARRIER}
    ${stages[index].store}
    ${BARRIER}
    ${stages[index + 1]?.load ?? meanwhile}
    ${multiplyStaged(side, result, area, factors, index * depth)}`
  return {
    load: stages[0].load,
    rest: (meanwhile) => stages.map((_, index) => round(index, meanwhile)).join('\n'),
  }
}

/** Multiplies what is staged, the terms from `k` on. */
function multiplyStaged(side: Side, result: string, area: Area, {left, right, terms}: Factors, k: number): string {
  const depth = depthOf(terms)
  const leftPlace: Place =
    left === 'kept'
      ? {along: true, line: lineOf(terms), memory: 'kept', start: '0u'}
      : {along: left.along, line: lineOf(left.along ? depth : area.rows), memory: 'staged', start: '0u'}
  const rightLine = lineOf(right.along ? depth : area.columns)
  const rightPlace: Place = {along: right.along, line: rightLine, memory: 'staged', start: 'RIGHT'}
  const [down, across] = [area.rows / SIDE, area.columns / side.across]
  const first = left === 'kept' ? k : 0
  const lefts = (term: number): string[] =>
    range(down / PIECE).map((i) =>
      loadPiece(`left_${i}`, 'left', leftPlace, `down * ${down}u + ${i * PIECE}u`, `${first + term}u`),
    )
  const rights = (term: number): string[] =>
    range(across / PIECE).map((j) =>
      loadPiece(`right_${j}`, 'right', rightPlace, `across * ${across}u + ${j * PIECE}u`, `${term}u`),
    )
  const add = eachPiece(
    area,
    side,
    (i, j) =>
      `${result}_sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(left_${i}, right_${j}, ${result}_sum_${i}_${j});`,
  )
  return range(depth / PIECE)
    .map((piece) => `{ ${[...lefts(piece * PIECE), ...rights(piece * PIECE), add].join('\n')} }`)
    .join('\n')
}

/** Two slots lie side by side, so that an invocation has eight numbers that it can keep as one element. */
const slotsOf = ({columns, rows}: Area, {invocations}: Side): number[] => range((rows * columns) / 4 / invocations)

const rowOf = (slot: number, {columns}: Area, {invocations}: Side): string =>
  `(thread + ${Math.floor(slot / 2) * invocations}u) / ${columns / 8}u`
const columnOf = (slot: number, {columns}: Area, {invocations}: Side): string =>
  `((thread + ${Math.floor(slot / 2) * invocations}u) % ${columns / 8}u * 8u + ${(slot % 2) * 4}u)`

const each = (
  area: Area,
  side: Side,
  code: (slot: number) => string,
  slots: readonly number[] = slotsOf(area, side),
): string =>
  slots
    .map(
      (slot) => `{ let row = ${rowOf(slot, area, side)}; let column = ${columnOf(slot, area, side)}; ${code(slot)} }`,
    )
    .join('\n')

function declare(areas: readonly Area[], kept: Area | null): string {
  const right = Math.max(...areas.map(({rows}) => stageSize(rows)))
  const staged = right + Math.max(...areas.map(({columns}) => stageSize(columns)))
  const results = Math.max(...areas.map((area) => area.rows * resultLine(area)))
  return `const RIGHT = ${right}u;
var<workgroup> staged: array<vec4<u32>, ${Math.max(staged, results)}>;
${kept ? `var<workgroup> kept: array<vec4<u32>, ${kept.rows * lineOf(kept.columns)}>;` : ''}
fn in_halves(low: vec4<f32>, high: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}
fn scaled(eight: vec4<u32>, scale: f32) -> vec4<u32> {
  return vec4<u32>(
    pack2x16float(scale * unpack2x16float(eight.x)), pack2x16float(scale * unpack2x16float(eight.y)),
    pack2x16float(scale * unpack2x16float(eight.z)), pack2x16float(scale * unpack2x16float(eight.w)));
}`
}

/** Gives every invocation its slots of a result, through workgroup memory. */
function finish(side: Side, result: string, area: Area): string {
  const line = resultLine(area)
  const store = (i: number, j: number): string => {
    const row = `down * ${area.rows / SIDE}u + ${i * PIECE}u`
    const quad = `across * ${area.columns / side.across / 4}u + ${j * 4}u`
    return `subgroupMatrixStore<row_major>(&staged, (${row}) * ${line}u + ${quad}, ${result}_sum_${i}_${j}, ${line}u);`
  }
  const take = (slot: number): string =>
    `var ${result}_${slot} = bitcast<vec4<f32>>(staged[${rowOf(slot, area, side)} * ${line}u + ${columnOf(slot, area, side)} / 4u]);`
  return [BARRIER, eachPiece(area, side, store), BARRIER, ...slotsOf(area, side).map(take)].join('\n')
}

const eachPair = (area: Area, side: Side, code: (slot: number) => string): string =>
  each(
    area,
    side,
    code,
    slotsOf(area, side).filter((slot) => slot % 2 === 0),
  )

function keep(side: Side, result: string, area: Area): string {
  const put = (slot: number): string =>
    `kept[row * ${lineOf(area.columns)}u + column / 8u] = in_halves(${result}_${slot}, ${result}_${slot + 1});`
  return `${BARRIER}\n${eachPair(area, side, put)}`
}

function blocksOf(across: 2 | 4): Blocks {
  const side: Side = {across, invocations: SIDE * across * SUBGROUP}
  return {
    // Zero by a value of its own: in a loop, a variable that is declared without one keeps that of the round before in Dawn.
    begin: (result, area) =>
      eachPiece(area, side, (i, j) => `var ${result}_sum_${i}_${j} = subgroup_matrix_result<f32, 16, 16>();`),
    constants: `let down = thread / ${SUBGROUP}u % ${SIDE}u;
  let across = thread / ${SUBGROUP * SIDE}u;`,
    declare,
    each: (area, code) => each(area, side, code),
    eachPair: (area, code) => eachPair(area, side, code),
    enables: `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`,
    finish: (result, area) => finish(side, result, area),
    invocations: side.invocations,
    keep: (result, area) => keep(side, result, area),
    multiply: (id, result, area, factors) => multiply(side, id, result, area, factors),
    name: `matrix units, ${across} across`,
    show: (_slot, value, area) => `staged[row * ${resultLine(area)}u + column / 4u] = bitcast<vec4<u32>>(${value});`,
    shown: (row, column, area) =>
      `bitcast<f32>(staged[(${row}) * ${resultLine(area)}u + (${column}) / 4u][(${column}) % 4u])`,
    shownQuad: (row, quad, area) => `bitcast<vec4<f32>>(staged[(${row}) * ${resultLine(area)}u + ${quad}])`,
    slots: (area) => slotsOf(area, side),
  }
}

export const matrixBlocks = blocksOf(2)
export const wideMatrixBlocks = blocksOf(4)
