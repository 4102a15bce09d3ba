/** The references in test/fixtures/golden (see ORIGIN.md there), read as plain arrays by name. */
import {readSafetensorsHeader, readTensorBytes} from '../../src/checkpoint/safetensors.js'

export interface Reference {
  /** f32 values by name */
  floats(name: string): Float32Array
  ints(name: string): Int32Array
  shape(name: string): readonly number[]
  readonly names: readonly string[]
}

export const goldenPath = (...parts: string[]): string => ['test/fixtures/golden', ...parts].join('/')

export async function readReference(path: string): Promise<Reference> {
  const {entries} = await readSafetensorsHeader(path)
  const bytes = new Map<string, ArrayBuffer>()
  for (const [name, entry] of entries) bytes.set(name, (await readTensorBytes(entry)).slice().buffer)
  const of = (name: string): ArrayBuffer => {
    const found = bytes.get(name)
    if (!found) throw new Error(`${path} has no ${name}`)
    return found
  }
  return {
    floats: (name) => new Float32Array(of(name)),
    ints: (name) => new Int32Array(of(name)),
    names: [...entries.keys()],
    shape: (name) => entries.get(name)?.shape ?? [],
  }
}

/** Labels as the loss wants them: each position's target is the next position's label. */
export function shiftLabels(labels: Int32Array, length: number): Int32Array {
  return labels.map((_, i) => (i % length === length - 1 ? -100 : labels[i + 1]))
}
