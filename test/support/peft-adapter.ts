/** Adapters in PEFT's format put together by hand, with random numbers, so that they can be of every kind and wrong in every way. */
import {mkdir, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {fromFloat32} from '../../src/checkpoint/dtypes.js'
import {writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {RandomStream} from '../../src/data/random.js'
import {type ParameterValues} from '../../src/peft/method.js'

const PREFIX = 'base_model.model.'

/** A random tensor by its name without the prefix. */
export function random(name: string, ...shape: number[]): [string, ParameterValues] {
  const stream = new RandomStream(1, 'test', name)
  const length = shape.reduce((product, size) => product * size, 1)
  return [PREFIX + name, {shape, values: Float32Array.from({length}, () => 0.1 * stream.normal())}]
}

/** Both matrices of one update. */
export function updateOf(module: string, rank: number, outputs: number, inputs: number): [string, ParameterValues][] {
  return [random(`${module}.lora_A.weight`, rank, inputs), random(`${module}.lora_B.weight`, outputs, rank)]
}

export async function writePeft(
  directory: string,
  config: Readonly<Record<string, unknown>>,
  tensors: readonly (readonly [string, ParameterValues])[],
): Promise<string> {
  await mkdir(directory, {recursive: true})
  const settings = {peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: '.*', ...config}
  await writeFile(path.join(directory, 'adapter_config.json'), JSON.stringify(settings))
  const sources = tensors.map(([name, {shape, values}]) => ({
    bytes: async () => Promise.resolve(fromFloat32(values, 'F32')),
    dtype: 'F32' as const,
    name,
    shape,
  }))
  await writeSafetensors(path.join(directory, 'adapter_model.safetensors'), sources, {format: 'pt'})
  return directory
}
