/**
 * The gated RMSNorm as shaders: v = x · silu(z), y = v / √(mean(v²) + ε) · weight over the last axis, as transformers'
 * MambaRMSNormGated has it. Rows of z are read in place. A workgroup takes a row and keeps it in registers, as in
 * rms-norm.wgsl.ts, so that everything is read and written once. With g = dY · weight and r = 1 / √(mean(v²) + ε):
 *
 *   dV = r · (g − v · mean(v g) · r²),   dX = dV · silu(z),   dZ = dV · x · silu′(z),   dWeight = Σ over rows of dY · v · r
 */
import {type Format, type Shader} from '../../backend/gpu/shader.js'
import {code, eachPart, held, input, output, sumOfParts} from '../rms-norm/row-code.wgsl.js'

/** Rows in a term of the sum behind the weight's gradient */
const TERM_ROWS = 16

/** Where the rows of z lie, in groups of numbers that are read at once */
const GATE_ROWS = ['z_offset', 'z_stride']

const OWN_ROW = /* wgsl */ `if (item >= params.rows) { return; }
  let row = item;`

const STARTS = /* wgsl */ `let start = row * GROUPS;
  let z_start = params.z_offset + row * params.z_stride;`

export interface GatedNormForm {
  readonly columns: number
  readonly x: Format
  readonly z: Format
}

export interface GatedNormGradientForm extends GatedNormForm {
  readonly dy: Format
  /** How dX and dZ are stored */
  readonly stored: Format
}

const gated = (i: number): string => `x${i} * z${i} * sigmoid(z${i})`

const squares = (columns: number): string => sumOfParts(columns, (i) => `inner(v${i}, v${i})`)

const shaderCode = (...[columns, sum, declared, body]: Parameters<typeof code>): string =>
  `${code(columns, sum, declared, body, GATE_ROWS)}
fn sigmoid(x: Numbers) -> Numbers {
  let e = exp(-abs(x));
  return select(e, Numbers(1.0), x >= Numbers()) / (1.0 + e);
}`

/** x (rows, E), z (rows, E) in wider rows, weight (E) → y (rows, E) */
export function gatedNormForwardShader({columns, x, z}: GatedNormForm, y: Format): Shader {
  const declared = [input('x', x), input('z', z), input('weight', 'f32'), output('y', y)]
  const read = (i: number): string =>
    `let x${i} = load_x(start + c); let z${i} = load_z(z_start + c); v${i} = ${gated(i)};`
  const body = (): string => /* wgsl */ `${OWN_ROW}
  ${STARTS}
  ${held(columns, 'v')}
  ${eachPart(columns, read)}
  let inverse = inverse_root(sum_of_row(thread, ${squares(columns)}));
  ${eachPart(columns, (i) => `store_y(start + c, v${i} * inverse * load_weight(c));`)}`
  return {
    code: () => shaderCode(columns, 'f32', declared, body()),
    key: [columns, x, z, y].join(' '),
    name: 'gated RMS norm, forward',
  }
}

/** x, z, weight, dY (rows, E) → dX (rows, E), dZ (rows, E) in rows as z's */
export function gatedNormBackwardShader({columns, dy, stored, x, z}: GatedNormGradientForm): Shader {
  const declared = [
    input('x', x),
    input('z', z),
    input('weight', 'f32'),
    input('d_y', dy),
    output('d_x', stored),
    output('d_z', stored),
  ]
  const read = (i: number): string =>
    `x${i} = load_x(start + c); z${i} = load_z(z_start + c); g${i} = load_d_y(start + c) * load_weight(c); v${i} = ${gated(i)};`
  const write = (i: number): string => /* wgsl */ `let s = sigmoid(z${i});
    let d = inverse * (g${i} - v${i} * mean);
    store_d_x(start + c, d * z${i} * s);
    store_d_z(z_start + c, d * x${i} * s * (1.0 + z${i} * (1.0 - s)));`
  const body = (): string => /* wgsl */ `${OWN_ROW}
  ${STARTS}
  ${held(columns, 'x', 'z', 'g', 'v')}
  ${eachPart(columns, read)}
  let sums = sum_of_row(thread, vec2<f32>(${squares(columns)}, ${sumOfParts(columns, (i) => `inner(v${i}, g${i})`)}));
  let inverse = inverse_root(sums.x);
  let mean = sums.y / ${columns}.0 * inverse * inverse;
  ${eachPart(columns, write)}`
  return {
    code: () => shaderCode(columns, 'vec2<f32>', declared, body()),
    key: [columns, x, z, dy, stored].join(' '),
    name: 'gated RMS norm, backward',
  }
}

/** x, z, dY (rows, E) → dWeight (terms, E): a sum over TERM_ROWS rows in each term */
export function gatedNormWeightShader({columns, x, z}: GatedNormForm, dy: Format): Shader {
  const declared = [input('x', x), input('z', z), input('d_y', dy), output('d_weight', 'f32')]
  const read = (i: number): string =>
    `let x${i} = load_x(start + c); let z${i} = load_z(z_start + c); v${i} = ${gated(i)};`
  const body = (): string => /* wgsl */ `let first = item * ${TERM_ROWS}u;
  if (first >= params.rows) { return; }
  ${held(columns, 'v', 'd')}
  for (var row = first; row < min(first + ${TERM_ROWS}u, params.rows); row++) {
    ${STARTS}
    ${eachPart(columns, read)}
    let inverse = inverse_root(sum_of_row(thread, ${squares(columns)}));
    ${eachPart(columns, (i) => `d${i} += load_d_y(start + c) * v${i} * inverse;`)}
  }
  ${eachPart(columns, (i) => `store_d_weight(item * GROUPS + c, d${i});`)}`
  return {
    code: () => shaderCode(columns, 'f32', declared, body()),
    key: [columns, x, z, dy].join(' '),
    name: 'gated RMS norm, gradient of the weight',
  }
}

/** Terms of dWeight, one for each workgroup of the third shader. */
export function gatedNormWeightTerms(rows: number): number {
  return Math.ceil(rows / TERM_ROWS)
}
