/**
 * Inputs with something wrong, each with the exit code and the words that the user must get, and the tools to make them.
 * The tables are in the files beside this one.
 */
import {readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {readParts, type SafetensorsParts, writeParts} from '../support/safetensors-parts.js'

/** Works in a directory that holds a good `model`, `rows.jsonl`, `recipe.yaml` and a trained `adapter`. */
export type Prepare = (directory: string) => Promise<void>

export interface Damage {
  readonly name: string
  readonly exit: number
  /** Each must be in the message, in a fault (as `where: message`) or in the hint. */
  readonly says: readonly string[]
  readonly prepare?: Prepare
  /** What is typed; training from the recipe when left out. */
  readonly args?: readonly string[]
  /** Added to the environment */
  readonly env?: Readonly<Record<string, string>>
  /** Faults reported, where the number matters */
  readonly faults?: number
}

export const RECIPE = `version: 1
output_dir: out
model: {base: model}
adapters:
  - {method: lora, targets: [in_proj], rank: 2}
data: {train: rows.jsonl, format: tokens}
train: {batch_size: 2, max_steps: 1}
`

export const TRAIN = ['train', 'recipe.yaml', '--device', 'cpu']
export const EVAL = ['eval', 'model', '--data', 'rows.jsonl', '--format', 'tokens', '--device', 'cpu']
export const ADAPTED = [...EVAL, '--adapter', 'adapter']
export const MERGE = ['merge', 'adapter', '--base', 'model', '--out', 'out', '--device', 'cpu']

/** Tensors of the model to damage. */
export const IN_PROJ = 'backbone.layers.0.mixer.in_proj.weight'
export const D = 'backbone.layers.1.mixer.D'

type Change<Content> = (content: Content) => Content

/** Changes a file of tensors. */
export function tensors(file: string, change: Change<SafetensorsParts>): Prepare {
  return async (directory) => {
    const full = path.join(directory, file)
    await writeParts(full, change(await readParts(full)))
  }
}

/** Changes the weights of the model. */
export const weights = (change: Change<SafetensorsParts>): Prepare => tensors('model/model.safetensors', change)

/** Changes what the header says of one tensor of the model. */
export const entry = (name: string, change: object): Prepare =>
  weights(({header, ...rest}) => ({...rest, header: {...header, [name]: {...header[name], ...change}}}))

/** Changes a file of text. */
export function text(file: string, change: Change<string>): Prepare {
  return async (directory) => {
    const full = path.join(directory, file)
    await writeFile(full, change(await readFile(full, 'utf8')))
  }
}

/** Changes one place of the recipe. */
export const recipe = (from: string, to: string): Prepare => text('recipe.yaml', (whole) => whole.replace(from, to))

/** One after the other. */
export function both(first: Prepare, second: Prepare): Prepare {
  return async (directory) => {
    await first(directory)
    await second(directory)
  }
}
