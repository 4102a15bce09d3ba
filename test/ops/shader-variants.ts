/** Entries of the table of shaders, and the devices that their variants are made for. */
import {type DeviceFacts, type Format, type Shader} from '../../src/backend/gpu/shader.js'

/** One generator, and its shaders for a device. A generator that ignores the device is compiled for the smallest alone. */
export interface Entry {
  readonly generator: unknown
  readonly devices: readonly string[]
  readonly shaders: (facts: DeviceFacts) => readonly Shader[]
}

const SMALLEST = 'no subgroups'

/** What a device must have, then processors and the usual GPUs. */
export const DEVICES: Readonly<Record<string, DeviceFacts>> = {
  [SMALLEST]: device({f16: false, subgroupSize: null, workgroupBytes: 16_384, workgroupInvocations: 256}),
  'subgroups of 4': device({f16: false, subgroupSize: 4}),
  'subgroups of 8': device({subgroupSize: 8}),
  'subgroups of 16': device({subgroupSize: 16}),
  'subgroups of 32': device({}),
  'subgroups of 64': device({subgroupSize: 64}),
  'matrix units': device({matrixUnits: true, workgroupBytes: 49_152}),
}

function device(facts: Partial<DeviceFacts>): DeviceFacts {
  return {
    bindingBytes: 2 ** 27,
    f16: true,
    matrixUnits: false,
    subgroupSize: 32,
    workgroupBytes: 32_768,
    workgroupInvocations: 1024,
    ...facts,
  }
}

/** Shaders whose code does not depend on the device. */
export function everywhere<Parameters extends readonly unknown[]>(
  generator: (...parameters: Parameters) => Shader,
  variants: readonly Parameters[],
): Entry {
  return {devices: [SMALLEST], generator, shaders: () => variants.map((variant) => generator(...variant))}
}

/** A shader that does not depend on anything. */
export function constant(shader: Shader): Entry {
  return {devices: [SMALLEST], generator: shader, shaders: () => [shader]}
}

/** Shaders made for the device. */
export function fitted<Parameters extends readonly unknown[]>(
  generator: (...parameters: Parameters) => Shader,
  variants: (facts: DeviceFacts) => readonly Parameters[],
  devices: readonly string[] = Object.keys(DEVICES),
): Entry {
  return {devices, generator, shaders: (facts) => variants(facts).map((variant) => generator(...variant))}
}

/** Formats of a float tensor with so many columns. */
export function formatsOf(columns: number): readonly ('f16' | 'f32')[] {
  return columns % 8 === 0 ? ['f32', 'f16'] : ['f32']
}

export const FLOATS = ['f32', 'f16'] as const
export const FORMATS: readonly Format[] = ['f32', 'f16', 'i32']

/** Every combination of one value for each name. */
export function combine<const Choices extends Readonly<Record<string, readonly unknown[]>>>(
  choices: Choices,
): {[Name in keyof Choices]: Choices[Name][number]}[] {
  const combined = Object.entries(choices).reduce<Record<string, unknown>[]>(
    (made, [name, values]) => made.flatMap((one) => values.map((value) => ({...one, [name]: value}))),
    [{}],
  )
  return combined as {[Name in keyof Choices]: Choices[Name][number]}[]
}

/** Combinations in which every two values of two names meet at least once. */
export function pairwise<const Choices extends Readonly<Record<string, readonly unknown[]>>>(
  choices: Choices,
): {[Name in keyof Choices]: Choices[Name][number]}[] {
  const met = new Set<string>()
  return combine(choices).filter((one) => {
    const values = Object.entries(one).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    const pairs = values.flatMap((value, index) => values.slice(index + 1).map((other) => `${value} ${other}`))
    const isNew = pairs.some((pair) => !met.has(pair))
    for (const pair of isNew ? pairs : []) met.add(pair)
    return isNew
  })
}

/** Columns that fill vectors of eight, of four, and none. */
export const COLUMNS = [1, 37, 100, 768] as const

/** Variants of a shader over rows; `made` has every choice of formats that the number of columns allows. */
export function overColumns<Variant>(
  made: (columns: number, formats: readonly ('f16' | 'f32')[]) => Variant[],
): Variant[] {
  return COLUMNS.flatMap((columns) => made(columns, formatsOf(columns)))
}
