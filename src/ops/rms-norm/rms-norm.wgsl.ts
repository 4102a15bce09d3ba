/**
 * RMSNorm as shaders, with an addition before it where there is an update (equations in rms-norm.ts and add-rms-norm.ts).
 * x may be a slice of columns: its rows begin at offset + row · stride.
 * A workgroup takes a row and keeps it in registers, so everything is read once. With g = dNormed · weight and
 * r = 1 / √(mean(x²) + ε):   dX = r · (g − x · mean(x g) · r²) + dSum,   dWeight = Σ over rows of dNormed · x · r.
 */
import {flatGrid, type Format, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {code, type Declared, eachPart, held, input, output, sumOfParts} from './row-code.wgsl.js'

/** Rows in a term of the sum behind the weight's gradient. */
const TERM_ROWS = 16

/** A workgroup that has no row leaves. */
const OWN_ROW = /* wgsl */ `if (item >= params.rows) { return; }
  let x_start = params.offset + item * params.stride;
  let start = item * GROUPS;`

export interface NormForm {
  readonly columns: number
  /** There is a weight to multiply by. */
  readonly weight: boolean
  readonly x: Format
  /** null: x is normalised as it is. */
  readonly update: Format | null
  readonly normed: Format
}

export interface NormGradientForm {
  readonly columns: number
  readonly weight: boolean
  readonly x: Format
  readonly dNormed: Format
  /** null: nothing used the sum. */
  readonly dSum: Format | null
  readonly dX: Format
  /** How the same gradient is written once more, for the update; null: it is not. */
  readonly dUpdate: Format | null
}

const weightInput = (weight: boolean): readonly Declared[] => (weight ? [input('weight', 'f32')] : [])
const timesWeight = (weight: boolean): string => (weight ? ' * load_weight(c)' : '')

const squares = (columns: number): string => sumOfParts(columns, (i) => `inner(x${i}, x${i})`)

/** x (rows, d), weight? (d), update? (rows, d) → normed (rows, d), sum? (rows, d) */
export function normForwardShader({columns, normed, update, weight, x}: NormForm): Shader {
  const inputs = [input('x', x), ...weightInput(weight), ...(update ? [input('update', update)] : [])]
  const outputs = [output('normed', normed), ...(update ? [output('sum', 'f32')] : [])]
  const read = (i: number): string =>
    update
      ? `x${i} = load_x(x_start + c) + load_update(start + c); store_sum(start + c, x${i});`
      : `x${i} = load_x(x_start + c);`
  const body = (): string => /* wgsl */ `${OWN_ROW}
  ${held(columns, 'x')}
  ${eachPart(columns, read)}
  let inverse = inverse_root(sum_of_row(thread, ${squares(columns)}));
  ${eachPart(columns, (i) => `store_normed(start + c, x${i} * inverse${timesWeight(weight)});`)}`
  return {
    code: () => code(columns, 'f32', [...inputs, ...outputs], body()),
    key: [columns, x, weight, update, normed].join(' '),
    name: update ? 'addition and RMS norm, forward' : 'RMS norm, forward',
  }
}

/** x (rows, d), weight? (d), dNormed (rows, d), dSum? (rows, d) → dX (rows, d), dUpdate? (rows, d) */
export function normBackwardShader({columns, dNormed, dSum, dUpdate, dX, weight, x}: NormGradientForm): Shader {
  const inputs = [input('x', x), ...weightInput(weight), input('d_normed', dNormed)]
  if (dSum) inputs.push(input('d_sum', dSum))
  const outputs = [output('d_x', dX), ...(dUpdate ? [output('d_update', dUpdate)] : [])]
  const read = (i: number): string =>
    `x${i} = load_x(x_start + c); g${i} = load_d_normed(start + c)${timesWeight(weight)}; ${dSum ? `s${i} = load_d_sum(start + c);` : ''}`
  const write = (i: number): string =>
    `let d = s${i} + inverse * (g${i} - x${i} * mean); store_d_x(start + c, d); ${dUpdate ? 'store_d_update(start + c, d);' : ''}`
  const body = (): string => /* wgsl */ `${OWN_ROW}
  ${held(columns, 'x', 'g', 's')}
  ${eachPart(columns, read)}
  let sums = sum_of_row(thread, vec2<f32>(${squares(columns)}, ${sumOfParts(columns, (i) => `inner(x${i}, g${i})`)}));
  let inverse = inverse_root(sums.x);
  let mean = sums.y / ${columns}.0 * inverse * inverse;
  ${eachPart(columns, write)}`
  return {
    code: () => code(columns, 'vec2<f32>', [...inputs, ...outputs], body()),
    key: [columns, x, weight, dNormed, dSum, dX, dUpdate].join(' '),
    name: 'RMS norm, backward',
  }
}

/** x (rows, d), dNormed (rows, d) → dWeight (terms, d): a sum over TERM_ROWS rows in each term */
export function normWeightShader(columns: number, x: Format, dNormed: Format): Shader {
  const body = (): string => /* wgsl */ `let first = item * ${TERM_ROWS}u;
  if (first >= params.rows) { return; }
  ${held(columns, 'x', 'd')}
  for (var row = first; row < min(first + ${TERM_ROWS}u, params.rows); row++) {
    let start = row * GROUPS;
    let x_start = params.offset + row * params.stride;
    ${eachPart(columns, (i) => `x${i} = load_x(x_start + c);`)}
    let inverse = inverse_root(sum_of_row(thread, ${squares(columns)}));
    ${eachPart(columns, (i) => `d${i} += load_d_normed(start + c) * x${i} * inverse;`)}
  }
  ${eachPart(columns, (i) => `store_d_weight(item * GROUPS + c, d${i});`)}`
  const declared = [input('x', x), input('d_normed', dNormed), output('d_weight', 'f32')]
  return {
    code: () => code(columns, 'f32', declared, body()),
    key: [columns, x, dNormed].join(' '),
    name: 'RMS norm, gradient of the weight',
  }
}

/** The grid of the first two shaders. */
export function normGrid(rows: number): Grid {
  return flatGrid(rows)
}

/** Terms of dWeight, one for each workgroup of the third. */
export function normWeightTerms(rows: number): number {
  return Math.ceil(rows / TERM_ROWS)
}
