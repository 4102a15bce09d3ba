/** A golden model on the current device with its rows, and what tests do with a model: logits, logits token by token, random adapters. */
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type Example} from '../../src/data/rows.js'
import {RandomStream} from '../../src/data/random.js'
import {forward, type LanguageModel, logitsOf, type ModelState} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {type Sites} from '../../src/model/sites.js'
import {type AdapterSet} from '../../src/peft/adapter-set.js'
import {goldenPath, readReference, type Reference} from './golden.js'

export interface GoldenModel {
  readonly model: LanguageModel
  readonly reference: Reference
  /** The rows that the references were computed on; labels lie under their ids. */
  readonly examples: readonly Example[]
}

export const MODELS = ['mamba1', 'mamba1-untied-bias'] as const

export async function openGolden(name: string): Promise<GoldenModel> {
  const reference = await readReference(goldenPath(name, 'reference.safetensors'))
  return {
    examples: goldenRows(reference),
    model: await loadModel(await openModelDirectory(goldenPath(name))),
    reference,
  }
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
export function logitsInOnePass(model: LanguageModel, sites: Sites, ids: Int32Array): Float32Array {
  return logitsInPieces(model, sites, ids, [ids.length])
}

/** Logits (L, V) of one sequence, read in pieces of these lengths with the state carried from one to the next. */
export function logitsInPieces(
  model: LanguageModel,
  sites: Sites,
  ids: Int32Array,
  lengths: readonly number[],
): Float32Array {
  return tf.tidy(() => {
    let state: ModelState | null = null
    let from = 0
    const parts: Float32Array[] = []
    for (const length of lengths) {
      const piece = tf.tensor2d(ids.subarray(from, from + length), [1, length], 'int32')
      const after = forward(model, sites, piece, state)
      parts.push(logitsOf(model, after.hidden).dataSync<'float32'>().slice())
      state = after.state
      from += length
    }
    const logits = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
    parts.reduce((at, part) => {
      logits.set(part, at)
      return at + part.length
    }, 0)
    return logits
  })
}

/** Gives every adapter tensor random values, so that nothing is right because it is zero. */
export function randomise(adapters: AdapterSet, seed = 1, size = 0.1): void {
  for (const [name, variable] of adapters.variables) {
    const random = new RandomStream(seed, 'test', name)
    const values = tf.tensor(
      Float32Array.from({length: variable.size}, () => size * random.normal()),
      variable.shape,
    )
    variable.assign(values)
    values.dispose()
  }
}
