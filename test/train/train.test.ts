import {afterAll, beforeAll, beforeEach, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type Example} from '../../src/data/rows.js'
import {InterruptedError, NumericError} from '../../src/errors.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {setValues} from '../../src/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {collate} from '../../src/data/batches.js'
import {batchLoss} from '../../src/train/batch-loss.js'
import {type EvalEvent, type StepEvent, type TrainEvent} from '../../src/train/events.js'
import {train} from '../../src/train/train.js'
import {type TrainSettings} from '../../src/train/training-run.js'
import {difference} from '../support/close.js'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {openGolden} from '../support/golden-model.js'
import {valuesOf} from '../support/gradients.js'
import {unevenRows} from '../support/uneven-rows.js'

/**
 * With an epsilon far above every gradient, a step of Adam is close to linear in the gradient, so that differences in
 * rounding stay as small in the weights as they are in the gradients. (With 1e-8 an element whose gradient is near zero
 * would move by its sign.)
 */
const LINEAR = {beta1: 0.9, beta2: 0.999, clipNorm: null, epsilon: 10, weightDecay: 0}

const SETTINGS: TrainSettings = {
  batchSize: 4,
  epochs: 1,
  evaluation: {atStart: false, every: 0.25},
  gradientAccumulation: 1,
  learningRate: 1,
  maxSteps: null,
  optimizer: LINEAR,
  maxSkips: 0,
  recompute: false,
  schedule: {minRatio: 0, name: 'constant', warmup: 0},
  seed: 3,
  shuffle: false,
}

const ROWS = unevenRows([5, 31, 12, 3, 26, 8, 17, 9], [1, 3, 8, 0, 20, 2, 2, 7])

describe('training', () => {
  let model: LanguageModel
  let before: number

  beforeAll(async () => {
    await useBackend('wasm')
    ;({model} = await openGolden('mamba1'))
  })

  afterAll(() => {
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  beforeEach(() => {
    before = tf.memory().numTensors
  })

  interface Outcome {
    readonly events: TrainEvent[]
    readonly steps: StepEvent[]
    readonly values: Record<string, Float32Array>
  }

  async function run(
    parts: Partial<TrainSettings>,
    {
      rows = ROWS,
      signal,
      validation = null,
      watch = () => {},
    }: {
      rows?: readonly Example[]
      signal?: AbortSignal
      validation?: readonly Example[] | null
      watch?: (event: TrainEvent) => void
    } = {},
  ): Promise<Outcome> {
    const settings = {...SETTINGS, ...parts}
    const lora = {
      method: 'lora' as const,
      targets: ['in_proj', 'out_proj'],
      rank: 2,
      alpha: 4,
      dropout: 0,
      rslora: false,
    }
    const adapters = AdapterSet.create([lora], model.config, 1)
    const events: TrainEvent[] = []
    try {
      const report = (event: TrainEvent): void => {
        events.push(event)
        watch(event)
      }
      const trainee = {adapters, model}
      await train({report, settings, train: rows, trainee, validation, ...(signal && {signal})})
      const values = await valuesOf(adapters)
      return {
        events,
        steps: events.filter((event) => event.event === 'step'),
        values,
      }
    } finally {
      adapters.dispose()
      expect(tf.memory().numTensors).toBe(before)
    }
  }

  test('two micro-batches of 2 are one batch of 4, with loss weighted by supervised tokens', async () => {
    const whole = await run({epochs: 3})
    const halves = await run({batchSize: 2, epochs: 3, gradientAccumulation: 2})
    for (const key of ['loss', 'grad_norm', 'tokens', 'supervised_tokens', 'learning_rate', 'epoch', 'step'] as const) {
      expect(
        difference(
          halves.steps.map((step) => step[key]),
          whole.steps.map((step) => step[key]),
        ),
      ).toBeNull()
    }
    expect(faultsOf(halves.values, whole.values)).toEqual({})
  })

  test('four micro-batches of 1 are one batch of 4', async () => {
    const whole = await run({})
    const quarters = await run({batchSize: 1, gradientAccumulation: 4})
    expect(faultsOf(quarters.values, whole.values)).toEqual({})
  })

  test('the loss of a step is the mean over its supervised tokens, not the mean of means', async () => {
    const {steps} = await run({batchSize: 2, gradientAccumulation: 2, maxSteps: 1})
    const rows = ROWS.slice(0, 4)
    const bare = {adapters: AdapterSet.create([], model.config, 0), model}
    const parts = await Promise.all(
      rows.map(async (row) => ({
        count: collate([row]).supervisedTokens,
        sum: await batchLoss(bare, collate([row])),
      })),
    )
    const tokens = parts.reduce((sum, {count}) => sum + count, 0)
    const mean = parts.reduce((sum, part) => sum + part.sum, 0) / tokens
    const meanOfMeans = parts.reduce((sum, part) => sum + part.sum / part.count, 0) / rows.length
    expect(difference([steps[0].loss], [mean])).toBeNull()
    expect(difference([mean], [meanOfMeans])).not.toBeNull() // or this test could not fail
    expect(steps[0].supervised_tokens).toBe(tokens)
    expect(steps[0].tokens).toBe(5 + 31 + 12 + 3)
  })

  test('reports every step with its rate, share of the epoch and time', async () => {
    const {steps} = await run({epochs: 2, learningRate: 0.5, schedule: {minRatio: 0, name: 'linear', warmup: 1}})
    expect(steps.map(({step}) => step)).toEqual([1, 2, 3, 4])
    expect(steps.map(({epoch}) => epoch)).toEqual([0.5, 1, 1.5, 2])
    expect(steps.map((step) => step.learning_rate)).toEqual(
      [0.5, 0.5, 1 / 3, 1 / 6].map((rate) => expect.closeTo(rate, 12)),
    )
    const times = steps.map((step) => step.elapsed_s)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(steps.filter((step) => !(step.tokens_per_second > 0))).toEqual([])
  })

  test('evaluates before, as often as asked, and after the last step', async () => {
    const evaluation = {atStart: true, every: 2}
    const {events} = await run({batchSize: 2, epochs: 1.25, evaluation}, {validation: ROWS.slice(0, 2)})
    const order = events.map(({event, step}) => `${event} ${step}`)
    expect(order).toEqual(['eval 0', 'step 1', 'step 2', 'eval 2', 'step 3', 'step 4', 'eval 4', 'step 5', 'eval 5'])
    const [first, last] = [events[0], events.at(-1)] as EvalEvent[]
    expect(last.loss).toBeLessThan(first.loss)
  })

  test('lowers the loss', async () => {
    const adam = {...LINEAR, epsilon: 1e-8}
    const {steps} = await run({batchSize: 8, epochs: 15, learningRate: 1e-2, optimizer: adam})
    expect(steps[14].loss).toBeLessThan(0.9 * steps[0].loss)
  })

  test('repeats itself to the last bit, and another seed is another run', async () => {
    const shuffled = {batchSize: 2, shuffle: true}
    const [a, b, c] = [await run(shuffled), await run(shuffled), await run({...shuffled, seed: 4})]
    expect(b.values).toEqual(a.values)
    expect(c.values).not.toEqual(a.values)
  })

  test('names the tensor whose gradient is not finite, and has not moved anything', async () => {
    // A alone is so large that the gradient of B leaves f32, while B of zeros keeps the loss what it was.
    const lora = {method: 'lora' as const, targets: ['out_proj'], rank: 2, alpha: 1e10, dropout: 0.1, rslora: false}
    const adapters = AdapterSet.create([lora], model.config, 1)
    const [down, up] = [...adapters.variables].filter(([name]) => name.includes('layers.1'))
    setValues(down[1], new Float32Array(down[1].size).fill(1e34))
    const start = await valuesOf(adapters)
    const trainee = {adapters, model}
    const settings = {...SETTINGS, batchSize: 2, gradientAccumulation: 2}
    await expect(train({report: () => {}, settings, train: ROWS, trainee, validation: null})).rejects.toThrow(
      new NumericError(`Step 1 stopped: the gradient of ${up[0]} is not finite.`),
    )
    expect(bitFaultsOf(await valuesOf(adapters), start)).toEqual({})
    adapters.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('stops between micro-batches when it is told to, and keeps the steps done', async () => {
    const controller = new AbortController()
    const done: number[] = []
    const stopped = run(
      {batchSize: 1},
      {
        signal: controller.signal,
        watch(event) {
          done.push(event.step)
          if (event.step === 3) controller.abort()
        },
      },
    )
    await expect(stopped).rejects.toThrow(new InterruptedError('Stopped after step 3.'))
    expect(done).toEqual([1, 2, 3])
  })
})
