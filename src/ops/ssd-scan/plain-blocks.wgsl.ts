/**
 * Block products on any device, in f32: both factors are staged in workgroup memory, sixteen terms at a time and the terms
 * outermost, and an invocation keeps up to four rows and two fours of columns of the result in registers.
 *
 * 256 invocations make 64 × 64 results with 4 × 4 numbers each: eight reads of workgroup memory for sixteen
 * multiplications. Stages take 8 KiB, what is kept 16 KiB where chunks have 64 steps (4 KiB where they have 32).
 */
import {type Area, BARRIER, type Blocks, type Factor} from './blocks.js'

const INVOCATIONS = 256
/** Terms that are staged at once */
const DEPTH = 16
/** Invocations side by side, at most: each has four columns at a time */
const MOST_ACROSS = 16

interface Cut {
  /** Invocations across and down */
  readonly across: number
  readonly down: number
  /** Rows and fours of columns of an invocation */
  readonly rows: number
  readonly quads: number
}

function cutOf({columns, rows}: Area): Cut {
  let across = 1
  while (across < MOST_ACROSS && (columns / 4) % (2 * across) === 0) across *= 2
  const down = INVOCATIONS / across
  return {across, down, quads: columns / 4 / across, rows: Math.ceil(rows / down)}
}

const range = (count: number): number[] => Array.from({length: count}, (_, index) => index)

/** Some invocations have no row where there are fewer rows than invocations down. */
function guarded(area: Area, code: string): string {
  const {across, down} = cutOf(area)
  return down > area.rows ? `if (thread < ${area.rows * across}u) { ${code} }` : code
}

function stage(side: 'left' | 'right', extent: number, {along, quad}: Factor): string {
  const perLine = (along ? DEPTH : extent) / 4
  const to = (lane: number): string =>
    along ? `${side}_stage[(at + ${lane}u) * ${extent}u + line]` : `${side}_stage[line * ${extent}u + at + ${lane}u]`
  const value = along ? quad('line', '(k + at)') : quad('(k + line)', 'at')
  return `for (var item = thread; item < ${(extent * DEPTH) / 4}u; item += ${INVOCATIONS}u) {
    let line = item / ${perLine}u;
    let at = item % ${perLine}u * 4u;
    let value = ${value};
    ${range(4)
      .map((lane) => `${to(lane)} = value[${lane}];`)
      .join(' ')}
  }`
}

function multiply(result: string, area: Area, terms: number, left: Factor | 'kept', right: Factor): string {
  const {across, down, quads, rows} = cutOf(area)
  const kept = left === 'kept'
  const lefts = range(rows).map((i) => {
    const row = `thread / ${across}u + ${i * down}u`
    const from = kept ? `kept[(k + term) * ${area.rows}u + ${row}]` : `left_stage[term * ${area.rows}u + ${row}]`
    return `let a_${i} = ${from};`
  })
  const rights = range(quads).map((q) => {
    const at = `term * ${area.columns}u + (thread % ${across}u + ${q * across}u) * 4u`
    const lanes = range(4).map((lane) => `right_stage[${at} + ${lane}u]`)
    return `let b_${q} = vec4<f32>(${lanes.join(', ')});`
  })
  const sums = range(rows * quads).map(
    (slot) => `${result}_${slot} += a_${Math.floor(slot / quads)} * b_${slot % quads};`,
  )
  return `for (var k = 0u; k < ${terms}u; k += ${DEPTH}u) {
    ${BARRIER}
    ${kept ? '' : stage('left', area.rows, left)}
    ${stage('right', area.columns, right)}
    ${BARRIER}
    ${guarded(area, `for (var term = 0u; term < ${DEPTH}u; term++) { ${[...lefts, ...rights, ...sums].join('\n')} }`)}
  }`
}

const slotsOf = (area: Area): number[] => range(cutOf(area).rows * cutOf(area).quads)

function each(area: Area, code: (slot: number) => string): string {
  const {across, down, quads} = cutOf(area)
  const one = (slot: number): string => `{ let row = thread / ${across}u + ${Math.floor(slot / quads) * down}u;
    let column = (thread % ${across}u + ${(slot % quads) * across}u) * 4u;
    ${code(slot)} }`
  return guarded(area, slotsOf(area).map(one).join('\n'))
}

export const plainBlocks: Blocks = {
  begin: (result, area) =>
    slotsOf(area)
      .map((slot) => `var ${result}_${slot} = vec4<f32>();`)
      .join(' '),
  constants: '',
  declare(areas, kept) {
    const most = (side: 'rows' | 'columns'): number => DEPTH * Math.max(...areas.map((area) => area[side]))
    return `var<workgroup> left_stage: array<f32, ${most('rows')}>;
var<workgroup> right_stage: array<f32, ${most('columns')}>;
${kept ? `var<workgroup> kept: array<f32, ${kept.rows * kept.columns}>;` : ''}`
  },
  each,
  enables: '',
  finish: () => '',
  invocations: INVOCATIONS,
  keep(result, area) {
    const put = (lane: number, slot: number): string =>
      `kept[(column + ${lane}u) * ${area.rows}u + row] = ${result}_${slot}[${lane}];`
    const puts = (slot: number): string =>
      range(4)
        .map((lane) => put(lane, slot))
        .join(' ')
    return `${BARRIER}\n${each(area, puts)}`
  },
  multiply,
  name: 'plain',
  show: (_slot, value, {columns}) => `{ let value = ${value};
    ${range(4)
      .map((lane) => `kept[row * ${columns}u + column + ${lane}u] = value[${lane}];`)
      .join(' ')} }`,
  shown: (row, column, {columns}) => `kept[(${row}) * ${columns}u + ${column}]`,
  slots: slotsOf,
}
