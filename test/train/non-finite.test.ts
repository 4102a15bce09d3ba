import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import type * as tf from '@tensorflow/tfjs-core'
import {type Example} from '../../src/data/rows.js'
import {NumericError} from '../../src/errors.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {setValues} from '../../src/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type TrainEvent} from '../../src/train/events.js'
import {train} from '../../src/train/train.js'
import {type TrainSettings} from '../../src/train/training-run.js'
import {useBackend} from '../support/device.js'
import {openGolden} from '../support/golden-model.js'
import {valuesOf} from '../support/gradients.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {unevenRows} from '../support/uneven-rows.js'

const SETTINGS: TrainSettings = {
  batchSize: 2,
  epochs: 1,
  evaluation: {atStart: false, every: 0.25},
  gradientAccumulation: 1,
  learningRate: 1e-2,
  maxSkips: 2,
  maxSteps: null,
  optimizer: {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0},
  recompute: false,
  schedule: {minRatio: 0, name: 'constant', warmup: 0},
  seed: 3,
  shuffle: false,
}

/** Two rows a step. */
const ROWS = unevenRows([5, 31, 12, 3, 26, 8, 17, 9])

const POISONED = 'adapters.0.layers.1.mixer.in_proj.lora_B'

function onDevice(start: () => Promise<unknown>): void {
  let model: LanguageModel

  beforeAll(async () => {
    await start()
    ;({model} = await openGolden('mamba1'))
  })

  afterAll(() => model.weights.dispose())

  /** Trains; after each step of `bad` one adapter tensor is not finite, until a step has been skipped. */
  async function run(
    rows: readonly Example[],
    {bad = [], ...parts}: Partial<TrainSettings> & {bad?: readonly number[]},
  ): Promise<{events: TrainEvent[]; values: Record<string, Float32Array>}> {
    const lora = {alpha: 4, dropout: 0, method: 'lora' as const, rank: 2, rslora: false, targets: ['in_proj']}
    const adapters = AdapterSet.create([lora], model.config, 1)
    const variable = adapters.variables.get(POISONED) as tf.Variable
    const events: TrainEvent[] = []
    let good: Float32Array | null = null
    let known = new Float32Array(variable.size)
    const poison = (): void => {
      good = known
      setValues(
        variable,
        known.map(() => Number.NaN),
      )
    }
    try {
      await train({
        checkpoints: {
          every: 1,
          save: async () => {
            known = (await adapters.values()).get(POISONED)?.values.slice() as Float32Array<ArrayBuffer>
            if (bad.includes(events.length)) poison()
          },
        },
        report(event) {
          events.push(event)
          if (event.event === 'skip' && good) setValues(variable, good)
        },
        settings: {...SETTINGS, ...parts},
        train: rows,
        trainee: {adapters, model},
        validation: null,
      })
      return {events, values: await valuesOf(adapters)}
    } finally {
      adapters.dispose()
    }
  }

  test('is skipped as if its rows were not there, where steps may be', async () => {
    const {events, values} = await run(ROWS, {bad: [2]})
    expect(events.map(({event}) => event)).toEqual(['step', 'step', 'skip', 'step'])
    expect(events[2]).toEqual({
      event: 'skip',
      reason: `the adapter tensor ${POISONED}`,
      rows: ['rows.jsonl:5', 'rows.jsonl:6'],
      skipped: 1,
      step: 3,
    })
    const without = await run([...ROWS.slice(0, 4), ...ROWS.slice(6)], {})
    expect(values).toEqual(without.values)
  })

  test('ends the run when it is one too many, or the first', async () => {
    await expect(run(ROWS, {bad: [1, 2, 3], maxSkips: 1})).rejects.toMatchObject({
      exit: 7,
      message: `Step 3 stopped: the adapter tensor ${POISONED} is not finite, and 1 steps were skipped before.`,
    })
    const stopped = run(ROWS, {bad: [1], maxSkips: 0})
    await expect(stopped).rejects.toThrow(NumericError)
    await expect(stopped).rejects.toMatchObject({
      faults: ['rows.jsonl:3', 'rows.jsonl:4'].map((where) => ({message: 'was in this step', where})),
      message: `Step 2 stopped: the adapter tensor ${POISONED} is not finite.`,
    })
  })
}

describe('on device cpu, a step that is not finite', () => onDevice(() => useBackend('wasm')))

describeGpu('on device gpu, a step that is not finite', () => onDevice(useGpu))
