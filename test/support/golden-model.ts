/** A golden model on the current device with its rows, and what tests do with a model: logits, logits token by token, random adapters. */
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type Example} from '../../src/data/rows.js'
import {RandomStream} from '../../src/data/random.js'
import {forward, type LanguageModel, logitsOf, type ModelState} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {baseSites, type Sites} from '../../src/model/sites.js'
import {setValues} from '../../src/ops/adamw/parameter-arena.js'
import {type AdapterSet} from '../../src/peft/adapter-set.js'
import {EVERY_BACKEND} from './every-backend.js'
import {goldenPath, readReference, type Reference} from './golden.js'

export interface GoldenModel {
  readonly model: LanguageModel
  readonly reference: Reference
  /** The rows that the references were computed on; labels lie under their ids. */
  readonly examples: readonly Example[]
}

/** Those with references of PEFT's adapters. */
export const PEFT_MODELS = ['mamba1', 'mamba1-untied-bias'] as const

export const MODELS = [...PEFT_MODELS, 'falcon-mamba'] as const

export const MAMBA2_MODELS = ['mamba2', 'mamba2-limit'] as const

/** Each backend with each model. */
export const BACKENDS_WITH_MODELS = EVERY_BACKEND.flatMap((backend) =>
  [...MODELS, ...MAMBA2_MODELS].map((name) => [backend, name] as const),
)

export async function openGolden(name: string): Promise<GoldenModel> {
  const reference = await readReference(goldenPath(name, 'reference.safetensors'))
  const model = await loadModel(await openModelDirectory(goldenPath(name)))
  // Makes what the weights keep of frozen tensors, so that tests may count tensors from here on.
  await logitsInOnePass(model, baseSites(model.weights), Int32Array.of(0))
  return {examples: goldenRows(reference), model, reference}
}

/** `input_ids` and `labels` of a reference, one example a row. */
export function goldenRows(reference: Reference): Example[] {
  const [rows, length] = reference.shape('input_ids')
  const part = (name: string, row: number): Int32Array => reference.ints(name).slice(row * length, (row + 1) * length)
  return Array.from({length: rows}, (_, row) => ({
    ids: part('input_ids', row),
    labels: part('labels', row),
    where: `reference:${row + 1}`,
  }))
}

/** Logits (L, V) of one sequence in one pass. */
export function logitsInOnePass(model: LanguageModel, sites: Sites, ids: Int32Array): Promise<Float32Array> {
  return logitsInPieces(model, sites, ids, [ids.length])
}

/** Logits (L, V) of one sequence, read in pieces of these lengths with the state carried from one to the next. */
export async function logitsInPieces(
  model: LanguageModel,
  sites: Sites,
  ids: Int32Array,
  lengths: readonly number[],
): Promise<Float32Array> {
  const parts = tf.tidy(() => {
    let state: ModelState | null = null
    let from = 0
    const logits: tf.Tensor[] = []
    for (const length of lengths) {
      const piece = tf.tensor2d(ids.subarray(from, from + length), [1, length], 'int32')
      const after = forward(model, sites, piece, {state})
      logits.push(logitsOf(model, sites, after.hidden))
      state = after.state
      from += length
    }
    return logits
  })
  const values = await Promise.all(parts.map((part) => part.data<'float32'>()))
  tf.dispose(parts)
  return Float32Array.from(values.flatMap((part) => [...part]))
}

/** Gives every adapter tensor random values, so that nothing is right because it is zero. */
export function randomise(adapters: AdapterSet, seed = 1, size = 0.1): void {
  for (const [name, variable] of adapters.variables) {
    const random = new RandomStream(seed, 'test', name)
    setValues(
      variable,
      Float32Array.from({length: variable.size}, () => size * random.normal()),
    )
  }
}
