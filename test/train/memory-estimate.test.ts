import {afterAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {presetConfig} from '../../src/model/presets.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {measureStep} from '../../src/report/measure-step.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {type RunShape} from '../../src/train/memory-fit.js'
import {MEMORY_PARTS} from '../../src/train/memory-parts.js'
import {type StepShape} from '../../src/train/memory-shape.js'
import {mamba1Of} from '../support/architectures.js'
import {goldenPath} from '../support/golden.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {configIn, lora, STATE} from '../support/random-adapter.js'

/** What the documentation promises. */
const TOLERANCE = 0.1

const OPTIMIZER = {beta1: 0.9, beta2: 0.99, clipNorm: 1, epsilon: 1e-8, weightDecay: 0}

const ADAPTERS: readonly [string, readonly AdapterSettings[]][] = [
  ['two projections', [lora({rank: 8, targets: ['in_proj', 'x_proj']})]],
  ['slices, and the convolution', [lora({targets: ['in_proj.x', 'x_proj.B', 'dt_proj', 'conv1d']})]],
  ['dropout', [lora({dropout: 0.2, targets: ['in_proj', 'out_proj']})]],
  ['a first state', [STATE]],
]

const SIZES = [
  [2, 40],
  [5, 17],
] as const

describeGpu('the estimate of a training step on the GPU', () => {
  async function difference(model: string, parts: Partial<RunShape>): Promise<Record<string, number>> {
    const config = await configIn(model)
    const backend = await useGpu({precision: parts.precision ?? 'f32'})
    const shape: RunShape = {
      adapters: [],
      checkpointing: 'none',
      config,
      device: 'gpu',
      facts: backend.facts,
      gradientAccumulation: 1,
      length: 1,
      precision: 'f32',
      rows: 1,
      ...parts,
    }
    const measured = await measureStep({model, optimizer: OPTIMIZER, seed: 1, shape})
    const estimate = await estimateMemory(shape)
    const step = estimate.activations + estimate.logits + estimate.scratch
    return {
      adapters: estimate.adapters / measured.adapters - 1,
      optimizer: estimate.optimizer / measured.optimizer - 1,
      step: step / measured.step - 1,
      total: estimate.total / measured.total - 1,
      weights: estimate.weights / measured.weights - 1,
    }
  }

  const within = (differences: Record<string, number>): [string, number][] =>
    Object.entries(differences).filter(([, share]) => !(Math.abs(share) < TOLERANCE))

  describe.each(['f32', 'f16'] as const)('in %s', (precision) => {
    describe.each(['none', 'block'] as const)('with checkpointing %s', (checkpointing) => {
      test.each(ADAPTERS)('is within 10 %% of what is measured: %s', async (_, adapters) => {
        for (const [rows, length] of SIZES) {
          const found = await difference(goldenPath('mamba1'), {adapters, checkpointing, length, precision, rows})
          expect(within(found)).toEqual([])
        }
      })
    })
  })

  test.each(['none', 'block'] as const)('holds for the shipped model with checkpointing %s', async (checkpointing) => {
    const adapters = [lora({rank: 8, targets: ['in_proj', 'x_proj']})]
    const parts = {adapters, checkpointing, length: 64, precision: 'f16', rows: 2} as const
    expect(within(await difference('models/tiny-mamba', parts))).toEqual([])
  })

  test('leaves the device as it was', async () => {
    const backend = await useGpu()
    const before = [tf.memory().numTensors, backend.gpuMemory().live]
    const config = await configIn(goldenPath('mamba1'))
    await estimateMemory({...shapeOf(config), device: 'gpu', precision: 'f32'})
    expect(tf.backend()).toBe(backend)
    expect([tf.memory().numTensors, backend.gpuMemory().live]).toEqual(before)
  })
})

function shapeOf(config: StepShape['config'], parts: Partial<StepShape> = {}): StepShape {
  return {
    adapters: [lora({rank: 16, targets: ['in_proj', 'x_proj']})],
    checkpointing: 'none',
    config,
    device: 'gpu',
    length: 512,
    precision: 'f16',
    rows: 8,
    ...parts,
  }
}

describe('the estimate without a GPU', () => {
  afterAll(() => expect(tf.memory().numTensors).toBe(0))

  test.each(['gpu', 'cpu', 'tensorflow'] as const)('is the sum of its parts on %s', async (device) => {
    const estimate = await estimateMemory(shapeOf(presetConfig('tiny'), {device}))
    expect(MEMORY_PARTS.reduce((sum, part) => sum + estimate[part], 0)).toBe(estimate.total)
    expect(Math.min(...MEMORY_PARTS.map((part) => estimate[part]))).toBeGreaterThanOrEqual(0)
  })

  test('of a model of 130 million parameters is what is known of it', async () => {
    const estimate = await estimateMemory(shapeOf(presetConfig('mamba-130m')))
    const config = mamba1Of(presetConfig('mamba-130m'))
    // 129.1 million numbers, of which the matrices are f16
    expect(estimate.weights).toBeGreaterThan(2 * 129.1e6)
    expect(estimate.weights).toBeLessThan(2.1 * 129.1e6)
    const trained = config.layers * 16 * (config.hidden + 2 * config.inner + config.inner + config.timeStepRank + 32)
    expect(Math.abs(estimate.adapters / (4 * trained) - 1)).toBeLessThan(0.04)
    expect(Math.abs(estimate.optimizer / (12 * trained) - 1)).toBeLessThan(0.04)
    // Kept at least: the residual stream in f32, and what in_proj makes in f16
    const positions = 8 * 512
    expect(estimate.activations).toBeGreaterThan(positions * config.layers * (4 * config.hidden + 4 * config.inner))
  })

  test('grows with rows and length, and shrinks with block checkpointing and f16', async () => {
    const total = async (parts: Partial<StepShape>): Promise<number> =>
      (await estimateMemory(shapeOf(presetConfig('mamba-130m'), parts))).total
    const base = await total({})
    expect(await total({rows: 16})).toBeGreaterThan(1.7 * base)
    expect(await total({length: 1024})).toBeGreaterThan(1.7 * base)
    expect(await total({checkpointing: 'block'})).toBeLessThan(0.5 * base)
    expect(await total({precision: 'f32'})).toBeGreaterThan(1.4 * base)
  })

  test('counts the masks of dropout', async () => {
    const config = mamba1Of(presetConfig('mamba-130m'))
    const total = async (dropout: number): Promise<number> =>
      (await estimateMemory(shapeOf(config, {adapters: [lora({dropout, targets: ['in_proj']})]}))).total
    const masks = 2 * 4 * 8 * 512 * config.hidden * config.layers
    expect(Math.abs(((await total(0.1)) - (await total(0))) / masks - 1)).toBeLessThan(0.1)
  })
})
