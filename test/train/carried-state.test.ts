/** Documents longer than a row, in pieces with the state carried: what one long pass gives, for every model on every backend. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {carriedRows, collateCarried} from '../../src/data/carried-rows.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {disposeState} from '../../src/model/read-on.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {lossAndGradients, type Trainee} from '../../src/train/batch-loss.js'
import {CarriedState} from '../../src/train/carried-state.js'
import {evaluate} from '../../src/train/evaluate.js'
import {evaluateCarried} from '../../src/train/evaluate-carried.js'
import {type Snapshot} from '../../src/train/progress.js'
import {train} from '../../src/train/train.js'
import {type TrainSettings} from '../../src/train/training-run.js'
import {difference, F32} from '../support/close.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/every-backend.js'
import {BACKENDS_WITH_MODELS, openGolden, randomise} from '../support/golden-model.js'
import {valuesOf} from '../support/gradients.js'
import {gpuAvailable, useGpu} from '../support/gpu.js'
import {lora, STATE} from '../support/random-adapter.js'
import {unevenRows} from '../support/uneven-rows.js'

const LENGTH = 8
const EXAMPLES = unevenRows([30, 9, 2, 17, 8, 41, 12], [2, 1, 0, 3, 0, 4, 1])
const ADAPTERS = [lora({targets: ['*_proj', 'conv1d']}), STATE]

const CASES = BACKENDS_WITH_MODELS.filter(
  ([backend, name]) => backend !== 'cpu' && ['mamba1', 'falcon-mamba', 'mamba2'].includes(name),
)

const close = (actual: number, expected: number): string | null => difference([actual], [expected], F32)

/** Summed losses of each batch of an epoch, with the state carried or, if not, zeros before every piece. */
async function lossesOf(trainee: Trainee, isCarried = true): Promise<number[]> {
  const {at, batches, rows} = carriedRows(EXAMPLES, {length: LENGTH, rows: 3, seed: 1, shuffle: true})
  const state = CarriedState.create(trainee.model.config.layers, rows, null)
  const losses: number[] = []
  for (let index = 0; index < batches; index++) {
    const batch = collateCarried(at(0, index))
    const {dispose, loss, state: after} = lossAndGradients(trainee, batch, {state: state.current})
    losses.push((await loss.data())[0])
    dispose()
    if (after && isCarried) state.advance(after)
    else disposeState(after)
  }
  state.dispose()
  return losses
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

describe.each(CASES)('a carried state on %s, %s', (backend, name) => {
  let model: LanguageModel
  let adapters: AdapterSet

  beforeAll(async () => {
    await useBackend(backend)
    ;({model} = await openGolden(name))
    adapters = AdapterSet.create(ADAPTERS, model.config, 1)
    randomise(adapters)
  })

  afterAll(() => {
    adapters.dispose()
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('gives the loss of one long pass', async () => {
    const before = tf.memory().numTensors
    const trainee = {adapters, model}
    const whole = await evaluate(trainee, EXAMPLES, {batchSize: EXAMPLES.length})
    const inPieces = await evaluateCarried(trainee, EXAMPLES, {batchSize: 3, length: LENGTH})
    expect(close(inPieces.loss, whole.loss)).toBeNull()
    expect(inPieces.supervised_tokens).toBe(whole.supervised_tokens)
    const summed = whole.loss * whole.supervised_tokens
    expect(close(sum(await lossesOf(trainee)), summed)).toBeNull()
    expect(close(sum(await lossesOf(trainee, false)), summed)).not.toBeNull()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('gives the learned first state a gradient only where a document begins', async () => {
    const largest = async (from: number): Promise<number> => {
      const at = (start: number): ReturnType<typeof collateCarried> =>
        collateCarried([5, 0].map((index) => ({example: EXAMPLES[index], from: start, to: start + LENGTH})))
      const before = lossAndGradients({adapters, model}, at(0), {state: null})
      before.dispose()
      const options = {state: from === 0 ? null : before.state}
      const {dispose, gradients, state: after} = lossAndGradients({adapters, model}, at(from), options)
      const ofState = [...gradients].filter(([parameter]) => parameter.includes('initial_state'))
      const values = await Promise.all(ofState.map(([, gradient]) => gradient.data<'float32'>()))
      const most = values.map((numbers) => Math.max(...numbers.map((value) => Math.abs(value))))
      dispose()
      disposeState(after)
      disposeState(before.state)
      return Math.max(0, ...most)
    }
    expect(await largest(0)).toBeGreaterThan(0)
    expect(await largest(LENGTH)).toBe(0)
  })
})

const SETTINGS: TrainSettings = {
  batchSize: 3,
  epochs: 3,
  evaluation: {atStart: false, every: 100},
  gradientAccumulation: 2,
  layout: {kind: 'carried', length: LENGTH},
  learningRate: 1e-2,
  maxSteps: 7,
  maxSkips: 0,
  optimizer: {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0.1},
  recompute: false,
  schedule: {minRatio: 0, name: 'constant', warmup: 0},
  seed: 3,
  shuffle: true,
}

describe.each(['wasm', ...(gpuAvailable ? (['gpu'] as const) : [])] as const)(
  'a run that carries states on %s',
  (backend) => {
    let model: LanguageModel

    beforeAll(async () => {
      // Unchecked, so that steps are repeated as in a real run.
      await (backend === 'gpu' ? useGpu({checked: false}) : useBackend(backend))
      ;({model} = await openGolden('mamba1'))
    })

    afterAll(() => {
      model.weights.dispose()
      expect(tf.memory().numTensors).toBe(0)
    })

    /** Runs to the end, or from a snapshot; hands out the snapshots and the values that the adapters had then. */
    async function run(from?: {snapshot: Snapshot; values: Awaited<ReturnType<AdapterSet['values']>>}) {
      const adapters = from
        ? AdapterSet.restore(ADAPTERS, model.config, from.values)
        : AdapterSet.create(ADAPTERS, model.config, 1)
      const saved: {snapshot: Snapshot; values: Awaited<ReturnType<AdapterSet['values']>>}[] = []
      const losses: number[] = []
      await train({
        checkpoints: {
          every: 2,
          async save(snapshot) {
            saved.push({snapshot, values: await adapters.values()})
          },
        },
        from: from?.snapshot ?? null,
        report: (event) => void (event.event === 'step' && losses.push(event.loss)),
        settings: SETTINGS,
        train: EXAMPLES,
        trainee: {adapters, model},
        validation: null,
      })
      const values = await valuesOf(adapters)
      adapters.dispose()
      return {losses, saved, values}
    }

    test('goes on from every checkpoint to the same bytes', async () => {
      const whole = await run()
      expect(whole.losses).toHaveLength(7)
      for (const from of whole.saved.slice(0, -1)) {
        const rest = await run(from)
        expect(rest.losses).toEqual(whole.losses.slice(from.snapshot.progress.step))
        expect(bitFaultsOf(rest.values, whole.values)).toEqual({})
      }
    })

    test('would not without the state', async () => {
      const {losses, saved} = await run()
      const [{snapshot, values}] = saved
      const rest = await run({snapshot: {...snapshot, carried: null}, values})
      expect(rest.losses).not.toEqual(losses.slice(snapshot.progress.step))
    })
  },
)

test('the batch of a document that is not longer than a row is that of the document', () => {
  const short = EXAMPLES.slice(2, 3)
  const {at} = carriedRows(short, {length: LENGTH, rows: 1, seed: 1, shuffle: false})
  const batch = collateCarried(at(0, 0))
  const whole = collate(short)
  expect([...batch.ids]).toEqual([...whole.ids.subarray(0, -1)])
  expect([...batch.labels]).toEqual([...whole.labels.subarray(0, -1)])
})
