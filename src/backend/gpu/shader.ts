/**
 * What a shader is to the rest of the program: WGSL made by a pure function of sizes and device facts. Nothing here
 * touches a device.
 *
 * Conventions of every shader: one entry point `main`; group 0 holds the inputs in order (`var<storage, read>`), then the
 * outputs (`var<storage, read_write>`); numbers that change from call to call are immediates, declared by `parameters`.
 * What a model fixes (states, convolution width, formats) is written into the code as constants; batch and length are not,
 * so that batches of other lengths do not compile anew.
 */

/** How a tensor's numbers lie in memory. To TensorFlow.js f32 and f16 are both float32. */
export type Format = 'f32' | 'f16' | 'i32'

export interface Shader {
  /** In messages and profiles, such as 'selective scan, forward' */
  readonly name: string
  /** All that the code depends on: two shaders with the same name and key have the same code. */
  readonly key: string
  readonly code: () => string
}

/** What the code may depend on of the device that runs it. */
export interface DeviceFacts {
  /** WGSL's f16 arithmetic. Storage in f16 needs none: pairs are packed into u32 words. */
  readonly f16: boolean
  /** The one size of all subgroups in invocations; null where it is not known in advance or subgroups are missing. */
  readonly subgroupSize: number | null
  /** Subgroup matrices of f16 16×16×16 with f32 sums. */
  readonly matrixUnits: boolean
  /** Bytes of workgroup memory */
  readonly workgroupBytes: number
  /** Invocations in a workgroup, at most */
  readonly workgroupInvocations: number
  /** Bytes of one storage binding, at most */
  readonly bindingBytes: number
}

export type Grid = readonly [number, number, number]

/** Workgroups in one direction, at most; every WebGPU device has this many. */
const MOST_WORKGROUPS = 65_535

/** `count` workgroups in two directions. The shader finds its number with FLAT_WORKGROUP and has to check it. */
export function flatGrid(count: number): Grid {
  if (count <= MOST_WORKGROUPS) return [count, 1, 1]
  const rows = Math.ceil(count / MOST_WORKGROUPS)
  return [Math.ceil(count / rows), rows, 1]
}

/** A workgroup's number in a flatGrid, from `@builtin(workgroup_id) group` and `@builtin(num_workgroups) groups`. */
export const FLAT_WORKGROUP = '(group.y * groups.x + group.x)'

/** The immediates: whole numbers first, then floats, sixteen at most; in code `params.name`. */
export function parameters(whole: readonly string[], floats: readonly string[] = []): string {
  const fields = [...whole.map((name) => `${name}: u32`), ...floats.map((name) => `${name}: f32`)]
  return `struct Params { ${fields.join(', ')} }\nvar<immediate> params: Params;`
}

export type Width = 1 | 2 | 4

const ELEMENTS: Readonly<Record<Format, Readonly<Record<Width, string>>>> = {
  f16: {1: 'u32', 2: 'u32', 4: 'vec2<u32>'},
  f32: {1: 'f32', 2: 'vec2<f32>', 4: 'vec4<f32>'},
  i32: {1: 'i32', 2: 'vec2<i32>', 4: 'vec4<i32>'},
}

const FLOATS: Readonly<Record<Width, string>> = {1: 'f32', 2: 'vec2<f32>', 4: 'vec4<f32>'}

export interface BindingOptions {
  readonly binding: number
  readonly name: string
  readonly format: Format
  /** Numbers read or written at once; indices count in this unit. A single f16 can be read but not written. */
  readonly width: Width
  readonly output?: boolean
}

/**
 * Declares a binding and functions for it that work on f32 whatever the format: `load_x(i)` and, for outputs,
 * `store_x(i, value)`, with `i` counting groups of `width` numbers.
 */
export function binding({binding: slot, format, name, output = false, width}: BindingOptions): string {
  const access = output ? 'read_write' : 'read'
  const value = format === 'i32' ? ELEMENTS.i32[width] : FLOATS[width]
  const lines = [
    `@group(0) @binding(${slot}) var<storage, ${access}> ${name}: array<${ELEMENTS[format][width]}>;`,
    `fn load_${name}(i: u32) -> ${value} { ${loadBody(name, format, width)} }`,
  ]
  if (output && !(format === 'f16' && width === 1)) {
    lines.push(`fn store_${name}(i: u32, value: ${value}) { ${storeBody(name, format, width)} }`)
  }
  return lines.join('\n')
}

function loadBody(name: string, format: Format, width: Width): string {
  if (format !== 'f16') return `return ${name}[i];`
  if (width === 1) return `return unpack2x16float(${name}[i >> 1u])[i & 1u];`
  if (width === 2) return `return unpack2x16float(${name}[i]);`
  return `let word = ${name}[i]; return vec4<f32>(unpack2x16float(word.x), unpack2x16float(word.y));`
}

function storeBody(name: string, format: Format, width: Width): string {
  if (format !== 'f16') return `${name}[i] = value;`
  if (width === 2) return `${name}[i] = pack2x16float(value);`
  return `${name}[i] = vec2<u32>(pack2x16float(value.xy), pack2x16float(value.zw));`
}
