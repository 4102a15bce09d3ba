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
  /** Columns in the buffer, or whose rows these lie beside: offset and stride of x, b or c are parameters */
  readonly columns: number | 'x' | 'b' | 'c'
  /** Whether every read begins at a multiple of four numbers and stays within what is asked for */
  readonly whole: boolean
  /** Whether every column that is asked for exists */
  readonly fits: boolean
  readonly eights?: boolean
  readonly output?: boolean
}

export type Declaration = (slot: number) => string

/** All declarations in order of their bindings. */
export const inOrder = (declarations: readonly Declaration[]): string =>
  declarations.map((declare, slot) => declare(slot)).join('\n')

/** Rows (B, L, columns): `read_x(sequence, t, column, end)` and, for outputs, `write_x(sequence, t, column, end, value)`. */
export function rows({columns, format, name, output = false, ...rest}: RowsOptions): Declaration {
  const row = 'sequence * params.length + min(t, params.length - 1u)'
  const at =
    typeof columns === 'number'
      ? `(${row}) * ${columns}u + column`
      : `params.${columns}_offset + (${row}) * params.${columns}_stride + column`
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
  /** Whether only blocks are read, and nothing behind the last one; true where left out */
  readonly inBlocks?: boolean
}

/** States (…, P, N): `read_s(matrix, p, n)` and `write_s(matrix, p, n, value)`, `matrix` being the number of the P × N. */
export function states({format, inBlocks = true, name, output = false}: MatrixOptions, form: SsdForm): Declaration {
  const {eights, size, states: count} = form
  const inside = `p < ${size}u && n < ${count}u`
  return fours({
    at: `(matrix * ${size}u + p) * ${count}u + n`,
    eights,
    fits: inBlocks && fits(size) && fits(count),
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
  if (of.eights && format === 'f16') return (slot) => eightsBinding(slot, of)
  return (slot) => `${binding({binding: slot, format, name, output, width: whole ? 4 : 1})}
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

/** Sixteen bytes at once, as they are: `read_eight_x`, and for outputs `write_eight_x`. */
function eightsBinding(slot: number, {at, name, output, position, written}: Fours): string {
  const place = `${name}[(${at}) / 8u]`
  const declared = `@group(0) @binding(${slot}) var<storage, ${output ? 'read_write' : 'read'}> ${name}: array<vec4<u32>>;`
  return output
    ? `${declared}
fn write_eight_${name}(${position}, value: vec4<u32>) { if (${written}) { ${place} = value; } }`
    : `${declared}
fn read_eight_${name}(${position}) -> vec4<u32> { return ${place}; }`
}

/** Single numbers, of any type that WGSL stores. */
export const array =
  (name: string, type = 'f32', output = false): Declaration =>
  (slot) =>
    `@group(0) @binding(${slot}) var<storage, ${output ? 'read_write' : 'read'}> ${name}: array<${type}>;`

/** delta (B, L, H) or positions (B, L): `load_delta(i)` and its like */
export const single =
  (name: string, format: Format): Declaration =>
  (slot) =>
    binding({binding: slot, format, name, width: 1})

/** x, b or c of the form, read in place; `inBlocks` as for states. */
export function strided(name: 'x' | 'b' | 'c', form: SsdForm, inBlocks = true): Declaration {
  const size = name === 'x' ? form.size : form.states
  return rows({
    columns: name,
    eights: form.eights,
    fits: inBlocks && fits(size),
    format: form[name],
    name,
    whole: size % 4 === 0,
  })
}

/** Rows of E channels, one after another. */
export function ofChannels(name: string, format: Format, form: SsdForm, output = false): Declaration {
  const {eights, heads, size} = form
  return rows({columns: heads * size, eights, fits: fits(size), format, name, output, whole: size % 4 === 0})
}

export const constants = ({chunk}: SsdPlan): string => `${parameters(SSD_PARAMETERS)}
fn chunk_count() -> u32 { return (params.length + ${chunk - 1}u) / ${chunk}u; }`

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
