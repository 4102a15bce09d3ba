/**
 * Block products on any device, in f32: both factors are staged in workgroup memory, sixteen terms at a time and the terms
 * outermost, and an invocation keeps four rows and a few fours of columns of the result in registers.
 *
 * 256 invocations make 64 × 64 results with 4 × 4 numbers each: two reads of four numbers for sixteen multiplications.
 * Smaller results leave some of them idle. Stages take 8 KiB, what is kept 16 KiB where chunks have 64 steps (4 KiB where
 * they have 32).
 */
import {type Area, BARRIER, type Blocks, type Factor, type Factors, type Steps} from './blocks.js'

const INVOCATIONS = 256
/** Terms that are staged at once */
const DEPTH = 16
/** Rows of an invocation */
const ROWS = 4
/** Invocations side by side, at most */
const MOST_ACROSS = 16

interface Cut {
  readonly across: number
  /** Invocations that have a part of the result */
  readonly busy: number
  /** Fours of columns of an invocation */
  readonly quads: number
}

function cutOf({columns, rows}: Area): Cut {
  let across = 1
  while (across < MOST_ACROSS && (columns / 4) % (2 * across) === 0) across *= 2
  return {across, busy: (across * rows) / ROWS, quads: columns / 4 / across}
}

const range = (count: number): number[] => Array.from({length: count}, (_, index) => index)

function guarded(area: Area, code: string): string {
  const {busy} = cutOf(area)
  return busy < INVOCATIONS ? `if (thread < ${busy}u) { ${code} }` : code
}

/** Terms outermost, in fours of rows or columns; a factor that lies along its terms is turned over in blocks of 4 × 4. */
function stage(side: 'left' | 'right', extent: number, {along, quad: read, scale}: Factor): string {
  const quad = (line: string, at: string): string => (scale ? `${scale(line)} * ${read(line, at)}` : read(line, at))
  const lines = (along ? extent : DEPTH) / (along ? 4 : 1)
  const perLine = (along ? DEPTH : extent) / 4
  const copy = `${side}_stage[line * ${extent / 4}u + at / 4u] = ${quad('(k + line)', 'at')};`
  const turn = `var block: mat4x4<f32>;
    for (var i = 0u; i < 4u; i++) { let one = line * 4u + i; block[i] = ${quad('one', '(k + at)')}; }
    let turned = transpose(block);
    for (var i = 0u; i < 4u; i++) { ${side}_stage[(at + i) * ${extent / 4}u + line] = turned[i]; }`
  return `for (var item = thread; item < ${lines * perLine}u; item += ${INVOCATIONS}u) {
    let line = item / ${perLine}u;
    let at = item % ${perLine}u * 4u;
    ${along ? turn : copy}
  }`
}

/** Nothing is asked for early: registers are for the result. */
function multiply(_id: string, result: string, area: Area, {left, right, terms}: Factors): Steps {
  const {across, quads} = cutOf(area)
  const kept = left === 'kept'
  const four = `thread / ${across}u`
  const a = kept ? `kept[(k + term) * ${area.rows / 4}u + ${four}]` : `left_stage[term * ${area.rows / 4}u + ${four}]`
  const rights = range(quads).map(
    (q) => `let b_${q} = right_stage[term * ${area.columns / 4}u + thread % ${across}u + ${q * across}u];`,
  )
  const sums = slotsOf(area).map((slot) => `${result}_${slot} += a[${Math.floor(slot / quads)}] * b_${slot % quads};`)
  const term = [`let a = ${a};`, ...rights, ...sums].join('\n')
  const all = `for (var k = 0u; k < ${terms}u; k += ${DEPTH}u) {
    ${BARRIER}
    ${kept ? '' : stage('left', area.rows, left)}
    ${stage('right', area.columns, right)}
    ${BARRIER}
    ${guarded(area, `for (var term = 0u; term < depth; term++) { ${term} }`)}
  }`
  return {load: '', rest: (meanwhile) => `${all}\n${meanwhile}`}
}

const slotsOf = (area: Area): number[] => range(ROWS * cutOf(area).quads)

const columnOf = (quad: number, {across}: Cut): string => `(thread % ${across}u + ${quad * across}u) * 4u`

function each(area: Area, code: (slot: number) => string): string {
  const cut = cutOf(area)
  const one = (
    slot: number,
  ): string => `{ let row = thread / ${cut.across}u * ${ROWS}u + ${Math.floor(slot / cut.quads)}u;
    let column = ${columnOf(slot % cut.quads, cut)};
    ${code(slot)} }`
  return guarded(area, slotsOf(area).map(one).join('\n'))
}

/** Terms outermost, as a factor is staged. */
function keep(result: string, area: Area): string {
  const cut = cutOf(area)
  const put = (quad: number, lane: number): string => {
    const rows = range(ROWS).map((row) => `${result}_${row * cut.quads + quad}[${lane}]`)
    return `kept[(${columnOf(quad, cut)} + ${lane}u) * ${area.rows / 4}u + thread / ${cut.across}u] = vec4<f32>(${rows.join(', ')});`
  }
  const puts = range(cut.quads).flatMap((quad) => range(4).map((lane) => put(quad, lane)))
  return `${BARRIER}\n${guarded(area, puts.join('\n'))}`
}

export const plainBlocks: Blocks = {
  begin: (result, area) =>
    slotsOf(area)
      .map((slot) => `var ${result}_${slot} = vec4<f32>();`)
      .join(' '),
  // A number that compilers do not know: with a constant they unroll all terms of all products, which takes a software driver
  // half a minute for one shader.
  constants: `let depth = min(${DEPTH}u, params.length + ${DEPTH - 1}u);`,
  declare(areas, kept) {
    const most = (side: 'rows' | 'columns'): number => (DEPTH / 4) * Math.max(...areas.map((area) => area[side]))
    return `var<workgroup> left_stage: array<vec4<f32>, ${most('rows')}>;
var<workgroup> right_stage: array<vec4<f32>, ${most('columns')}>;
${kept ? `var<workgroup> kept: array<vec4<f32>, ${(kept.rows * kept.columns) / 4}>;` : ''}`
  },
  each,
  eachPair: null,
  enables: '',
  finish: () => '',
  invocations: INVOCATIONS,
  keep,
  multiply,
  name: 'plain',
  show: (_slot, value, {columns}) => `kept[(row * ${columns}u + column) / 4u] = ${value};`,
  shown: (row, column, {columns}) => `kept[((${row}) * ${columns}u + ${column}) / 4u][(${column}) % 4u]`,
  shownQuad: (row, quad, {columns}) => `kept[(${row}) * ${columns / 4}u + ${quad}]`,
  slots: slotsOf,
}
