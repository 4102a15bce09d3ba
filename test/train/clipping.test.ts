/**
 * Clipping against a learning rate that is far too high. AdamW divides by the size of the gradient, so that clipping hardly
 * matters to it unless its epsilon is above that size: here it is 1, alpha makes gradients some ten times as long as clip_norm,
 * and of the learning rates 0.05, 0.1, 0.15 and 0.2 without clipping 0.1 is the best (docs/reliability.md).
 */
import {beforeAll, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {NumericError} from '../../src/errors.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {type RunEvent} from '../../src/recipe/run-options.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {describeGpu} from '../support/gpu.js'
import {writeRecipe, writeRows} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

beforeAll(async () => {
  const rows = Array.from({length: 12}, (_, row) => {
    const ids = Int32Array.from({length: 30 + row}, (__, i) => 2 + ((7 * row + 11 * i) % 90))
    return {ids, labels: ids}
  })
  await writeRows(inWork('rows.jsonl'), rows)
})

let runs = 0

/** Losses of a run that stays finite, in order. */
async function train(device: 'cpu' | 'gpu', rate: number, clip: number | null, steps: number): Promise<number[]> {
  const name = `run-${runs++}`
  const {recipe} = await loadRecipe(
    await writeRecipe(inWork(`${name}.yaml`), {
      adapters: [{method: 'lora', targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj'], rank: 8, alpha: 128}],
      output: inWork(name),
      train: inWork('rows.jsonl'),
      training: {
        batch_size: 4,
        clip_norm: clip,
        epochs: 1000,
        max_steps: steps,
        optimizer: {epsilon: 1, learning_rate: rate},
        schedule: {name: 'constant', warmup: 0},
      },
    }),
  )
  const losses: number[] = []
  const report = (event: RunEvent): void => void (event.event === 'step' && losses.push(event.loss))
  await runRecipe({device, recipe, report})
  if (device === 'cpu') expect(tf.memory().numTensors).toBe(0)
  return losses
}

test('on device cpu, f32, a run with 100 times the learning rate stays finite when clipped, and not when it is not', async () => {
  await expect(train('cpu', 10, null, 20)).rejects.toThrow(NumericError)
  for (const clip of [0.5, 1]) {
    const losses = await train('cpu', 10, clip, 20)
    expect(losses).toHaveLength(20)
    expect(losses.every((loss) => Number.isFinite(loss))).toBe(true)
  }
})

describeGpu('on device gpu in f16', () => {
  test('a run with 10 times the learning rate learns when clipped, and does not stay finite when it is not', async () => {
    await expect(train('gpu', 1, null, 20)).rejects.toThrow(NumericError)
    for (const clip of [0.5, 1]) {
      const losses = await train('gpu', 1, clip, 20)
      expect(losses).toHaveLength(20)
      expect(losses.at(-1)).toBeLessThan(losses[0] / 2)
    }
  })
})
