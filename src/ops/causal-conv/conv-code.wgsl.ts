/** The pieces that the shaders of the causal convolution are made of: bindings, loads, and sliding windows in registers. */
import {binding, type BindingOptions, FLAT_WORKGROUP, type Format, parameters} from '../../backend/gpu/shader.js'

export const THREADS = 128

/** Steps that are loaded at once. */
export const UNROLLED = 4

export interface ConvForm {
  readonly channels: number
  /** K, from 2 */
  readonly width: number
  readonly x: Format
  readonly bias: boolean
  readonly window: boolean
  /** Rows hold several sequences, which positions tell apart. */
  readonly packed?: true
}

export type Declared = Omit<BindingOptions, 'binding'>

export const range = (count: number): number[] => Array.from({length: count}, (_, index) => index)
export const lanesOf = ({channels}: ConvForm): 1 | 4 => (channels % 4 === 0 ? 4 : 1)
export const groupsOf = (form: ConvForm): number => form.channels / lanesOf(form)
export const input = (form: ConvForm, name: string, format: Format): Declared => ({format, name, width: lanesOf(form)})
export const output = (form: ConvForm, name: string, format: Format): Declared => ({
  ...input(form, name, format),
  output: true,
})
export const keyOf = ({bias, channels, packed, width, window, x}: ConvForm): string =>
  `${channels} ${width} ${x} ${bias} ${window}${packed ? ' packed' : ''}`

/** dY, or the terms of a sum that is dY. */
export function gradientInputs(form: ConvForm, formats: readonly Format[]): Declared[] {
  return formats.map((format, index) => input(form, formats.length === 1 ? 'dy' : `dy_${index}`, format))
}

/** `load_dy` where dY comes in terms. */
export function gradientSum(formats: readonly Format[]): string {
  if (formats.length === 1) return ''
  return `fn load_dy(i: u32) -> Numbers { return ${formats.map((_, index) => `load_dy_${index}(i)`).join(' + ')}; }`
}

/** The numbers of a group of channels, one by one. */
export function lanes(form: ConvForm, value: string): string[] {
  return lanesOf(form) === 1 ? [value] : ['x', 'y', 'z', 'w'].map((lane) => `${value}.${lane}`)
}

export function bindings(form: ConvForm, inputs: readonly Declared[], outputs: readonly Declared[]): string {
  const all: Declared[] = [input(form, 'x', form.x), input(form, 'weight', 'f32')]
  if (form.bias) all.push(input(form, 'bias', 'f32'))
  if (form.window) all.push(input(form, 'window', 'f32'))
  if (form.packed) all.push({format: 'i32', name: 'positions', width: 1})
  return [...all, ...inputs, ...outputs].map((options, slot) => binding({...options, binding: slot})).join('\n')
}

export function code(form: ConvForm, parts: readonly string[]): string {
  return [
    parameters(['batch', 'length', 'offset', 'stride']),
    `alias Numbers = ${lanesOf(form) === 4 ? 'vec4<f32>' : 'f32'};`,
    `const GROUPS = ${groupsOf(form)}u;`,
    `const PAST = ${form.width - 1}u;`,
    // The exponential stays finite: WGSL promises nothing of infinities.
    `fn sigmoid(s: Numbers) -> Numbers { return 1.0 / (1.0 + exp(min(-s, Numbers(88.0)))); }`,
    `fn silu(s: Numbers) -> Numbers { return s * sigmoid(s); }`,
    `fn slope(s: Numbers) -> Numbers { let open = sigmoid(s); return open * (1.0 + s * (1.0 - open)); }`,
    ...parts,
  ].join('\n')
}

/** Where step t of a row lies in x, and the input at any step from −(K−1). Of packed rows also what follows. */
export function lookup(form: ConvForm): string {
  const {packed, window} = form
  const before = window ? 'load_window((sequence * PAST + u32(t + i32(PAST))) * GROUPS + column)' : 'Numbers()'
  return /* wgsl */ `
fn place(sequence: u32, t: u32, column: u32) -> u32 {
  return params.offset + (sequence * params.length + t) * params.stride + column;
}
fn input_at(sequence: u32, t: i32, column: u32) -> Numbers {
  if (t < 0) { return ${before}; }
  return load_x(place(sequence, u32(t), column));
}${packed ? past(form) : ''}`
}

/**
 * `age_at`: how many steps ago the sequence began that step t is of, the last step's beyond the end. `past`: the input `back`
 * steps before a step of that age, which is `value` unless the sequence was not there yet.
 */
function past({window}: ConvForm): string {
  const before = window ? 'load_window((sequence * PAST + PAST + age - back) * GROUPS + column)' : 'Numbers()'
  return /* wgsl */ `
fn age_at(sequence: u32, t: u32) -> u32 {
  return u32(load_positions(sequence * params.length + min(t, params.length - 1u)));
}
fn past(sequence: u32, column: u32, value: Numbers, age: u32, back: u32) -> Numbers {
  if (back <= age) { return value; }
  return ${before};
}`
}

/** `p<j>`: the ages of the next steps. */
export function ages({packed}: ConvForm, steps: readonly number[]): string[] {
  return packed ? steps.map((j) => `let p${j} = age_at(sequence, step + ${j}u);`) : []
}

/** The entry point up to the taps: which sequence, which column of channel groups, and the first step of the run. */
export function main(form: ConvForm, run: number, body: readonly string[]): string {
  return /* wgsl */ `
const RUN = ${run}u;
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let item = ${FLAT_WORKGROUP} * ${THREADS}u + thread;
  let column = item % GROUPS;
  let runs = (params.length + RUN - 1u) / RUN;
  let sequence = item / GROUPS / runs;
  if (sequence >= params.batch) { return; }
  let first = item / GROUPS % runs * RUN;
  let offset = ${form.bias ? 'load_bias(column)' : 'Numbers()'};
  ${taps(form)}
  ${body.join('\n  ')}
}`
}

/** t0 … t(K−1): the weights of a group of channels lie together, K for each channel. */
function taps(form: ConvForm): string {
  const {width} = form
  const count = lanesOf(form)
  const words = range(width).map((k) => `let w${k} = load_weight(column * ${width}u + ${k}u);`)
  const number = (at: number): string => (count === 1 ? `w${at}` : `w${Math.floor(at / 4)}.${'xyzw'[at % 4]}`)
  const numbers = (k: number): string =>
    range(count)
      .map((lane) => number(lane * width + k))
      .join(', ')
  return [...words, ...range(width).map((k) => `let t${k} = Numbers(${numbers(k)});`)].join('\n  ')
}

/** i0 … i(K−2): the inputs before the run. */
export function pastInputs({width}: ConvForm): string {
  return range(width - 1)
    .map((k) => `var i${k} = input_at(sequence, i32(first + ${k}u) - i32(PAST), column);`)
    .join('\n  ')
}

/** Inputs and gradients of the next steps; those beyond the last are real numbers that nothing uses. */
export function loads(steps: readonly number[]): string {
  return steps
    .flatMap((j) => [
      `let at${j} = min(step + ${j}u, params.length - 1u);`,
      `let n${j} = load_x(place(sequence, at${j}, column));`,
      `let g${j} = load_dy((sequence * params.length + at${j}) * GROUPS + column);`,
    ])
    .join('\n  ')
}

/** A window, oldest first, and what follows it. */
function series({width}: ConvForm, past: string, next: string): string[] {
  return [...range(width - 1).map((k) => `${past}${k}`), ...range(UNROLLED).map((k) => `${next}${k}`)]
}

/** The last K at the j-th of the next steps. */
function lastOf(form: ConvForm, past: string, next: string, j: number): string[] {
  return series(form, past, next).slice(j, j + form.width)
}

export const pastAt = (form: ConvForm, j: number): string[] =>
  lastOf(form, 'i', 'n', j).map((name, k) => {
    const back = form.width - 1 - k
    return form.packed && back > 0 ? `past(sequence, column, ${name}, p${j}, ${back}u)` : name
  })

/** s at the j-th of the next steps */
export function sumAt(form: ConvForm, j: number): string {
  return ['offset', ...pastAt(form, j).map((name, k) => `t${k} * ${name}`)].join(' + ')
}

/** Σ_k weight[k] dS_{t+K−1−k}, the newest dS being the j-th of the next steps; `q<k>` are the ages of the steps of `d<k>` */
export function gradientAt(form: ConvForm, j: number): string {
  const ofSteps = lastOf(form, 'q', 'p', j).reverse()
  const term = (name: string, k: number): string =>
    form.packed ? `t${k} * select(Numbers(), ${name}, ${ofSteps[k]} >= ${form.width - 1 - k}u)` : `t${k} * ${name}`
  return lastOf(form, 'd', 'e', j).reverse().map(term).join(' + ')
}

/** Moves a window on by the steps that were taken; each name is read before it is written. */
export function shifted(form: ConvForm, past: string, next: string): string {
  const names = series(form, past, next)
  return range(form.width - 1)
    .map((k) => `${names[k]} = ${names[k + UNROLLED]};`)
    .join(' ')
}
