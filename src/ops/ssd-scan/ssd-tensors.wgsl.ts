/**
 * Tensors as the shaders of the SSD scan see them: functions that read and write four neighbouring numbers of a row, with
 * zeros beyond the last step and column, whatever the format and the place of the rows.
 */
import {binding, type Format, parameters} from '../../backend/gpu/shader.js'
import {type SsdForm, type SsdPlan} from './ssd-plan.js'

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
  readonly output?: boolean
}

type Declaration = (slot: number) => string

/** All declarations in order of their bindings. */
export const inOrder = (declarations: readonly Declaration[]): string =>
  declarations.map((declare, slot) => declare(slot)).join('\n')

/** Rows (B, L, columns): `read_x(sequence, t, column, end)` and, for outputs, `write_x(sequence, t, column, end, value)`. */
export function rows({columns, format, name, output = false, whole}: RowsOptions): Declaration {
  const row = 'sequence * params.length + t'
  const at =
    columns === null
      ? `params.${name}_offset + (${row}) * params.${name}_stride + column`
      : `(${row}) * ${columns}u + column`
  const position = 'sequence: u32, t: u32, column: u32, end: u32'
  const inside = `t < params.length && column < end`
  return fours({at, format, inside, name, output, position, whole})
}

export interface MatrixOptions {
  readonly name: string
  readonly format: Format
  readonly output?: boolean
}

/** States (…, P, N): `read_s(matrix, p, n)` and `write_s(matrix, p, n, value)`, `matrix` being the number of the P × N. */
export function states({format, name, output = false}: MatrixOptions, {size, states: count}: SsdForm): Declaration {
  return fours({
    at: `(matrix * ${size}u + p) * ${count}u + n`,
    format,
    inside: `p < ${size}u && n < ${count}u`,
    name,
    output,
    position: 'matrix: u32, p: u32, n: u32',
    rest: `${count}u - n`,
    whole: count % 4 === 0,
  })
}

interface Fours {
  readonly name: string
  readonly format: Format
  readonly whole: boolean
  readonly output: boolean
  readonly position: string
  readonly at: string
  readonly inside: string
  /** Numbers from here on */
  readonly rest?: string
}

function fours({at, format, inside, name, output, position, rest = 'end - column', whole}: Fours): Declaration {
  const load = whole
    ? `value = load_${name}((${at}) / 4u);`
    : `let at = ${at}; let rest = ${rest};
    for (var i = 0u; i < min(4u, rest); i++) { value[i] = load_${name}(at + i); }`
  const store = whole
    ? `store_${name}((${at}) / 4u, value);`
    : `let at = ${at}; let rest = ${rest};
    for (var i = 0u; i < min(4u, rest); i++) { store_${name}(at + i, value[i]); }`
  const write = `fn write_${name}(${position}, value: vec4<f32>) { if (${inside}) { ${store} } }`
  return (slot) => `${binding({binding: slot, format, name, output, width: whole ? 4 : 1})}
fn read_${name}(${position}) -> vec4<f32> {
  var value: vec4<f32>;
  if (${inside}) { ${load} }
  return value;
}
${output ? write : ''}`
}

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
  return rows({columns: null, format: form[name], name, whole: (name === 'x' ? form.size : form.states) % 4 === 0})
}

/** Rows of E channels, one after another. */
export function ofChannels(name: string, format: Format, {heads, size}: SsdForm, output = false): Declaration {
  return rows({columns: heads * size, format, name, output, whole: size % 4 === 0})
}

export const constants = ({chunk}: SsdPlan): string => `${parameters(SSD_PARAMETERS)}
fn chunk_count() -> u32 { return (params.length + ${chunk - 1}u) / ${chunk}u; }`

const at = (column: string, value: string): string => `${column} + ${value}`

/** Reads of a head's x or dy, and of its group's b or c, in a chunk: `t` within the chunk, columns within the head. */
export const channelsAt = (name: string, t: string, p: string, {size}: SsdForm): string =>
  `read_${name}(sequence, first + ${t}, ${at(`head * ${size}u`, p)}, (head + 1u) * ${size}u)`

export const statesAt = (name: string, t: string, n: string, {states: count}: SsdForm): string =>
  `read_${name}(sequence, first + ${t}, ${at(`channel_group * ${count}u`, n)}, (channel_group + 1u) * ${count}u)`

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
