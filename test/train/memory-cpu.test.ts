import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {loadModel} from '../../src/model/load-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {type Checkpointing} from '../../src/train/memory-shape.js'
import {deltaScale, partial, prodial, sparse} from '../peft/parameter-rows.js'
import {useBackend} from '../support/device.js'
import {lora, moreStates, stateOffset, vera} from '../support/random-adapter.js'
import {unevenRows} from '../support/uneven-rows.js'

/** Bytes of the arrays that TensorFlow.js's WebAssembly backend holds, and the most of them so far. */
class Heap {
  live = 0
  most = 0
  private readonly sizes = new Map<object, number>()

  constructor(backend: tf.KernelBackend) {
    const move = backend.move.bind(backend)
    const disposeData = backend.disposeData.bind(backend)
    backend.move = (dataId, values, shape, dtype, references) => {
      this.sizes.set(dataId, 4 * tf.util.sizeFromShape(shape))
      this.live += this.sizes.get(dataId) ?? 0
      this.most = Math.max(this.most, this.live)
      move(dataId, values, shape, dtype, references)
    }
    backend.disposeData = (dataId, force) => {
      const gone = disposeData(dataId, force)
      if (gone) this.live -= this.sizes.get(dataId) ?? 0
      if (gone) this.sizes.delete(dataId)
      return gone
    }
  }
}

const SETTINGS = {
  dora: (targets: string[]): AdapterSettings => lora({dora: true, targets}),
  lora: (targets: string[]): AdapterSettings => lora({targets}),
  pissa: (targets: string[]): AdapterSettings => lora({init: 'pissa', rank: 16, targets}),
  vera: (targets: string[]): AdapterSettings => vera({rank: 256, targets}),
}

type Kind = keyof typeof SETTINGS

describe('the estimate of a training step on the processor', () => {
  test.each<[string, number, number, string[], Checkpointing, Kind?]>([
    ['tiny-mamba', 4, 64, ['in_proj', 'x_proj'], 'none'],
    ['tiny-mamba', 4, 64, ['in_proj', 'x_proj'], 'block'],
    ['tiny-mamba', 2, 160, ['out_proj'], 'none'],
    ['tiny-mamba', 2, 160, ['out_proj'], 'block'],
    ['tiny-mamba', 8, 32, ['in_proj.x', 'x_proj.B', 'dt_proj', 'conv1d'], 'none'],
    ['tiny-mamba2', 4, 64, ['in_proj'], 'none'],
    ['tiny-mamba2', 4, 64, ['in_proj'], 'block'],
    ['tiny-mamba2', 2, 160, ['out_proj'], 'none'],
    ['tiny-mamba2', 8, 32, ['in_proj.x', 'in_proj.B', 'conv1d'], 'none'],
    ['tiny-mamba', 4, 64, ['in_proj', 'x_proj'], 'none', 'dora'],
    ['tiny-mamba2', 2, 160, ['in_proj', 'out_proj'], 'none', 'dora'],
    ['tiny-mamba', 2, 64, ['in_proj', 'out_proj'], 'none', 'pissa'],
    ['tiny-mamba', 2, 64, ['in_proj', 'out_proj'], 'block', 'vera'],
  ])(
    'is within 10 %% of the heap: %s, %i × %i, %j, %s %s',
    (name, rows, length, targets, checkpointing, kind = 'lora') =>
      expectWithin(name, rows, length, [SETTINGS[kind](targets)], checkpointing),
  )

  test.each<[string, AdapterSettings[], Checkpointing]>([
    ['tiny-mamba', [moreStates({states: 16})], 'none'],
    ['tiny-mamba', [stateOffset({form: 'h'}), stateOffset({form: 'y'})], 'none'],
    ['tiny-mamba', [stateOffset({form: 'h'}), moreStates({states: 8})], 'block'],
    ['tiny-mamba2', [moreStates({states: 64}), stateOffset({form: 'h'})], 'none'],
  ])('is within 10 %% of the heap: %s, %j, %s', (name, settings, checkpointing) =>
    expectWithin(name, 4, 64, settings, checkpointing),
  )

  test.each<[string, number, number, AdapterSettings, Checkpointing]>([
    ['tiny-mamba', 4, 64, partial('*'), 'none'],
    ['tiny-mamba', 4, 64, partial('*'), 'block'],
    ['tiny-mamba2', 2, 160, partial('*'), 'none'],
    ['tiny-mamba', 4, 64, partial('A_log', 'dt_proj.bias', 'embeddings'), 'none'],
    ['tiny-mamba2', 2, 160, prodial({blocks: 64}), 'none'],
    ['tiny-mamba', 4, 64, deltaScale('channel'), 'none'],
    ['tiny-mamba', 4, 64, sparse(), 'block'],
  ])('is within 10 %% of the heap: %s, %i × %i, %j, %s', (name, rows, length, settings, checkpointing) =>
    expectWithin(name, rows, length, [settings], checkpointing),
  )
})

async function expectWithin(
  name: string,
  rows: number,
  length: number,
  settings: readonly AdapterSettings[],
  checkpointing: Checkpointing,
): Promise<void> {
  await useBackend('wasm')
  const heap = new Heap(tf.backend())
  const model = await loadModel(await openModelDirectory(`models/${name}`))
  const adapters = await AdapterSet.createFor(settings, model, 1)
  const batch = collate(unevenRows(Array.from({length: rows}, () => length)))
  const shape = {adapters: settings, checkpointing, config: model.config, device: 'cpu', length, rows} as const
  lossAndGradients({adapters, model}, batch, {recompute: checkpointing === 'block'}).dispose()
  const {optimizer, total} = await estimateMemory({...shape, precision: 'f32'})
  // The optimizer of the processor keeps its numbers outside this heap.
  expect(Math.abs((total - optimizer) / heap.most - 1)).toBeLessThan(0.1)
  adapters.dispose()
  model.weights.dispose()
}
