/** Operands of products in WGSL: bindings, and functions that read a few neighbouring numbers of a line at once. */
import {type Operand} from './tile-program.js'

/**
 * What a read gives: four f32; eight f32 as two vectors; or eight f16, two in each of four words, as workgroup memory
 * and subgroup matrices want them.
 */
export type Reading = 'four' | 'eight' | 'halves'

interface ReadingCode {
  readonly lanes: number
  readonly type: string
  /** Of one binding element of f16 storage: that many halves */
  readonly element: string
  readonly fromHalves: (word: string) => string
  readonly fromFloats: (quads: readonly string[]) => string
}

const unpack = (x: string, y: string): string => `vec4<f32>(unpack2x16float(${x}), unpack2x16float(${y}))`
const pack = (v: string): string => `pack2x16float(${v}.xy), pack2x16float(${v}.zw)`

const READINGS: Readonly<Record<Reading, ReadingCode>> = {
  eight: {
    element: 'vec4<u32>',
    fromFloats: ([low, high]) => `Eight(${low}, ${high})`,
    fromHalves: (word) => `Eight(${unpack(`${word}.x`, `${word}.y`)}, ${unpack(`${word}.z`, `${word}.w`)})`,
    lanes: 8,
    type: 'Eight',
  },
  four: {
    element: 'vec2<u32>',
    fromFloats: ([quad]) => quad,
    fromHalves: (word) => unpack(`${word}.x`, `${word}.y`),
    lanes: 4,
    type: 'vec4<f32>',
  },
  halves: {
    element: 'vec4<u32>',
    fromFloats: ([low, high]) => `vec4<u32>(${pack(low)}, ${pack(high)})`,
    fromHalves: (word) => word,
    lanes: 8,
    type: 'vec4<u32>',
  },
}

export const EIGHT = 'struct Eight { low: vec4<f32>, high: vec4<f32> }'

/** Whether whole reads fit: lines begin and end at the borders of vectors. */
export function readsWhole({columns, stored}: Operand, reading: Reading): boolean {
  return stored.aligned && columns % READINGS[reading].lanes === 0
}

/**
 * Declares the operand and functions that read it at a line and column, with zeros beyond the last ones. With whole reads
 * that is `read_x(line, column)`, and `take_x(place)`, which reads at a place counted in numbers from the start of the
 * buffer and checks nothing; otherwise `single_x(line, column)`, and `read_x` made of such for halves.
 */
export function operandCode(
  operand: Operand,
  slot: number,
  reading: Reading,
  whole = readsWhole(operand, reading),
): string {
  const {lanes, type} = READINGS[reading]
  const {columns, lines, name, stored} = operand
  const declare = (element: string): string =>
    `@group(0) @binding(${slot}) var<storage, read> ${name}: array<${element}>;`
  const start = `params.${name}_offset + line * params.${name}_stride`
  if (whole) {
    return `${declare(stored.format === 'f16' ? READINGS[reading].element : 'vec4<f32>')}
fn take_${name}(place: u32) -> ${type} { ${takeBody(operand, reading)} }
fn read_${name}(line: u32, column: u32) -> ${type} {
  if (line >= ${lines} || column + ${lanes - 1}u >= ${columns}u) { return ${type}(); }
  return take_${name}(${start} + column);
}`
  }
  const halves = stored.format === 'f16'
  return `${declare(halves ? 'u32' : 'f32')}
fn single_${name}(line: u32, column: u32) -> f32 {
  if (line >= ${lines} || column >= ${columns}u) { return 0.0; }
  let place = ${start} + column;
  return ${halves ? `unpack2x16float(${name}[place / 2u])[place % 2u]` : `${name}[place]`};
}
${reading === 'halves' ? eightSingles(name) : ''}`
}

function takeBody({name, stored}: Operand, reading: Reading): string {
  const {fromFloats, fromHalves, lanes} = READINGS[reading]
  if (stored.format === 'f16') return `let word = ${name}[place / ${lanes}u]; return ${fromHalves('word')};`
  if (lanes === 4) return `return ${name}[place / 4u];`
  return `let low = ${name}[place / 4u]; let high = ${name}[place / 4u + 1u]; return ${fromFloats(['low', 'high'])};`
}

function eightSingles(name: string): string {
  const quad = (from: number): string => {
    const one = (lane: number): string => `single_${name}(line, column + ${from + lane}u)`
    return `vec4<f32>(${[0, 1, 2, 3].map(one).join(', ')})`
  }
  return `fn read_${name}(line: u32, column: u32) -> vec4<u32> {
  let low = ${quad(0)};
  let high = ${quad(4)};
  return ${READINGS.halves.fromFloats(['low', 'high'])};
}`
}
