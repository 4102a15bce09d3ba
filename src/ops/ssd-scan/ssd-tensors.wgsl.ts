/**
 * Tensors as the shaders of the SSD scan see them: functions that read and write four neighbouring numbers of a row,
 * whatever the format and the place of the rows, or eight f16 as they are stored.
 *
 * No read stands in a branch, because what a branch reads is waited for at its end. Beyond the last column they give zeros;
 * beyond the last step the last step's numbers, which come to nothing in what is made of them: Δ is zero there, and so is
 * exp(s_t) where t is the step of a dy (`later` in ssd-outputs.wgsl.ts).
 */
import {binding, type Format, parameters} from '../../backend/gpu/shader.js'
import {MOST_BLOCK, PLAIN_MULTIPLE, type SsdForm, type SsdPlan} from './ssd-plan.js'

/** L, then where the rows of x, delta, b and c lie. */
export const SSD_PARAMETERS = [
  'length',
  ...['x', 'delta', 'b', 'c'].flatMap((name) => [`${name}_offset`, `${name}_stride`]),
]

export interface RowsOptions {
  readonly name: string
  readonly format: Format
  /** Columns in the buffer; null where offset and stride are parameters */
  readonly columns: number | null
  /** Whether every read begins at a multiple of four numbers and stays within what is asked for */
  readonly whole: boolean
  /** Whether every column that is asked for exists */
  readonly fits: boolean
  readonly eights?: boolean
  readonly output?: boolean
}

type Declaration = (slot: number) => string

/** All declarations in order of their bindings. */
export const inOrder = (declarations: readonly Declaration[]): string =>
  declarations.map((declare, slot) => declare(slot)).join('\n')

/** Rows (B, L, columns): `read_x(sequence, t, column, end)` and, for outputs, `write_x(sequence, t, column, end, value)`. */
export function rows({columns, format, name, output = false, ...rest}: RowsOptions): Declaration {
  const row = 'sequence * params.length + min(t, params.length - 1u)'
  const at =
    columns === null
      ? `params.${name}_offset + (${row}) * params.${name}_stride + column`
      : `(${row}) * ${columns}u + column`
  return fours({
    ...rest,
    at,
    format,
    inside: 'column < end',
    left: 'end - column',
    name,
    output,
    position: 'sequence: u32, t: u32, column: u32, end: u32',
    written: 't < params.length && column < end',
  })
}

export interface MatrixOptions {
  readonly name: string
  readonly format: Format
  readonly output?: boolean
}

/** States (…, P, N): `read_s(matrix, p, n)` and `write_s(matrix, p, n, value)`, `matrix` being the number of the P × N. */
export function states({format, name, output = false}: MatrixOptions, form: SsdForm): Declaration {
  const {eights, size, states: count} = form
  const inside = `p < ${size}u && n < ${count}u`
  return fours({
    at: `(matrix * ${size}u + p) * ${count}u + n`,
    eights,
    fits: fits(size) && fits(count),
    format,
    inside,
    left: `${count}u - n`,
    name,
    output,
    position: 'matrix: u32, p: u32, n: u32',
    whole: count % 4 === 0,
    written: inside,
  })
}

/** Whether blocks end where a size ends: none reaches beyond. */
const fits = (size: number): boolean => size % Math.min(MOST_BLOCK, size) === 0 && size % PLAIN_MULTIPLE === 0

interface Fours {
  readonly name: string
  readonly format: Format
  readonly whole: boolean
  readonly fits: boolean
  readonly eights?: boolean
  readonly output: boolean
  readonly position: string
  readonly at: string
  /** What has to hold for numbers to exist where they are read, and to be written */
  readonly inside: string
  readonly written: string
  /** Numbers from here to the end */
  readonly left: string
}

function fours(of: Fours): Declaration {
  const {at, format, left, name, output, position, whole, written} = of
  const store = whole
    ? `store_${name}((${at}) / 4u, value);`
    : `let at = ${at}; let rest = ${left};
    for (var i = 0u; i < min(4u, rest); i++) { store_${name}(at + i, value[i]); }`
  const write = `fn write_${name}(${position}, value: vec4<f32>) { if (${written}) { ${store} } }`
  const eights = of.eights === true && format === 'f16' && !output
  return (
    slot,
  ) => `${eights ? eightsBinding(slot, of) : binding({binding: slot, format, name, output, width: whole ? 4 : 1})}
fn read_${name}(${position}) -> vec4<f32> { ${readBody(of)} }
${output ? write : ''}`
}

function readBody({at, fits, inside, left, name, whole}: Fours): string {
  if (whole && fits) return `return load_${name}((${at}) / 4u);`
  if (whole) {
    return `let value = load_${name}(select(0u, (${at}) / 4u, ${inside})); return select(vec4<f32>(), value, ${inside});`
  }
  return `var value: vec4<f32>;
  if (${inside}) {
    let at = ${at}; let rest = ${left};
    for (var i = 0u; i < min(4u, rest); i++) { value[i] = load_${name}(at + i); }
  }
  return value;`
}

/** Sixteen bytes at once: `read_eight_x` gives them as they are, `load_x` one half as numbers. */
const eightsBinding = (slot: number, {at, name, position}: Fours): string =>
  `@group(0) @binding(${slot}) var<storage, read> ${name}: array<vec4<u32>>;
fn load_${name}(i: u32) -> vec4<f32> {
  let eight = ${name}[i >> 1u];
  let four = select(eight.xy, eight.zw, (i & 1u) == 1u);
  return vec4<f32>(unpack2x16float(four.x), unpack2x16float(four.y));
}
fn read_eight_${name}(${position}) -> vec4<u32> { return ${name}[(${at}) / 8u]; }`

/** Single numbers, of any type that WGSL stores. */
export const array =
  (name: string, type = 'f32', output = false): Declaration =>
  (slot) =>
    `@group(0) @binding(${slot}) var<storage, ${output ? 'read_write' : 'read'}> ${name}: array<${type}>;`

/** delta (B, L, H): `load_delta(i)` */
export const single =
  (name: string, format: Format): Declaration =>
  (slot) =>
    binding({binding: slot, format, name, width: 1})

/** x, b or c of the form, read in place. */
export function strided(name: 'x' | 'b' | 'c', form: SsdForm): Declaration {
  const size = name === 'x' ? form.size : form.states
  return rows({columns: null, eights: form.eights, fits: fits(size), format: form[name], name, whole: size % 4 === 0})
}

/** Rows of E channels, one after another. */
export function ofChannels(name: string, format: Format, form: SsdForm, output = false): Declaration {
  const {eights, heads, size} = form
  return rows({columns: heads * size, eights, fits: fits(size), format, name, output, whole: size % 4 === 0})
}

export const constants = ({chunk}: SsdPlan): string => `${parameters(SSD_PARAMETERS)}
fn chunk_count() -> u32 { return (params.length + ${chunk - 1}u) / ${chunk}u; }`

/** A factor of a product: rows of a head's x or dy, or of its group's b or c, in a chunk; columns within the head. */
export interface Rows {
  readonly quad: (t: string, column: string) => string
  readonly eight?: (t: string, column: string) => string
}

function rowsFrom(name: string, format: Format, part: string, size: number, {eights}: SsdForm): Rows {
  const position = (t: string, column: string): string =>
    `(sequence, first + ${t}, ${part} * ${size}u + ${column}, (${part} + 1u) * ${size}u)`
  const quad = (t: string, column: string): string => `read_${name}${position(t, column)}`
  if (!eights || format !== 'f16') return {quad}
  return {eight: (t, column) => `read_eight_${name}${position(t, column)}`, quad}
}

export const channelRows = (name: 'x' | 'dy', form: SsdForm & {readonly dy?: Format}): Rows =>
  rowsFrom(name, name === 'x' ? form.x : (form.dy ?? 'f32'), 'head', form.size, form)

export const stateRows = (name: 'b' | 'c', form: SsdForm): Rows =>
  rowsFrom(name, form[name], 'channel_group', form.states, form)

/** The same with columns from `start` on. */
export const from = (start: string, {eight, quad}: Rows): Rows => ({
  ...(eight && {eight: (t: string, column: string) => eight(t, `${start} + ${column}`)}),
  quad: (t, column) => quad(t, `${start} + ${column}`),
})

/** Rows p of the state of the chunk and head, of `states` or of their gradients. */
export function matrixRows(name: 'states' | 'd_states', form: SsdForm, {kept}: SsdPlan, start = '0u'): Rows {
  const position = (p: string, n: string): string => `(${chunkState(form)}, first_p + ${p}, ${start} + ${n})`
  const quad = (p: string, n: string): string => `read_${name}${position(p, n)}`
  if (!form.eights || kept !== 'f16') return {quad}
  return {eight: (p, n) => `read_eight_${name}${position(p, n)}`, quad}
}

/** The number of the state of chunk and head among all that are kept, and of a head's first or last state. */
export const chunkState = ({heads}: SsdForm): string => `((sequence * chunk_count() + chunk) * ${heads}u + head)`
export const headState = ({heads}: SsdForm): string => `(sequence * ${heads}u + head)`

/** Where Δ and the sum of Δ A within the chunk are kept of a step. */
export const stepAt = (t: string, {heads}: SsdForm, {chunk}: SsdPlan): string =>
  `((sequence * ${heads}u + head) * chunk_count() + chunk) * ${chunk}u + ${t}`

/** Names the code by all that it depends on. */
export const keyOf = (form: SsdForm, plan: SsdPlan, ...rest: unknown[]): string =>
  JSON.stringify([{...form, high: String(form.high)}, {...plan, blocks: plan.blocks.name}, ...rest])

/** Begins every entry point. */
export const entry = ({blocks}: SsdPlan): string => `@compute @workgroup_size(${blocks.invocations})
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let sequence = group.z;
  ${blocks.constants}`

/** A product of two factors, as lines of terms or along them. */
export const groupOf = ({groups, heads}: SsdForm): string => `head / ${heads / groups}u`
