import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {loadModel} from '../../src/model/load-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {type Checkpointing} from '../../src/train/memory-shape.js'
import {deltaScale, partial, prodial, sparse} from '../peft/parameter-rows.js'
import {useBackend} from '../support/device.js'
import {lora} from '../support/random-adapter.js'
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

/** By how much the estimate of a step is above what it takes, as a share. */
async function relativeError(
  name: string,
  rows: number,
  length: number,
  settings: AdapterSettings,
  checkpointing: Checkpointing,
): Promise<number> {
  await useBackend('wasm')
  const heap = new Heap(tf.backend())
  const model = await loadModel(await openModelDirectory(`models/${name}`))
  const adapters = AdapterSet.create([settings], model.config, 1)
  const batch = collate(unevenRows(Array.from({length: rows}, () => length)))
  const shape = {adapters: [settings], checkpointing, config: model.config, device: 'cpu', length, rows} as const
  lossAndGradients({adapters, model}, batch, {recompute: checkpointing === 'block'}).dispose()
  const {optimizer, total} = await estimateMemory({...shape, precision: 'f32'})
  adapters.dispose()
  model.weights.dispose()
  // The optimizer of the processor keeps its numbers outside this heap.
  return (total - optimizer) / heap.most - 1
}

describe('the estimate of a training step on the processor', () => {
  test.each([
    ['tiny-mamba', 4, 64, ['in_proj', 'x_proj'], 'none'],
    ['tiny-mamba', 4, 64, ['in_proj', 'x_proj'], 'block'],
    ['tiny-mamba', 2, 160, ['out_proj'], 'none'],
    ['tiny-mamba', 2, 160, ['out_proj'], 'block'],
    ['tiny-mamba', 8, 32, ['in_proj.x', 'x_proj.B', 'dt_proj', 'conv1d'], 'none'],
    ['tiny-mamba2', 4, 64, ['in_proj'], 'none'],
    ['tiny-mamba2', 4, 64, ['in_proj'], 'block'],
    ['tiny-mamba2', 2, 160, ['out_proj'], 'none'],
    ['tiny-mamba2', 8, 32, ['in_proj.x', 'in_proj.B', 'conv1d'], 'none'],
  ] as const)(
    'is within 10 %% of the heap: %s, %i × %i, %j, %s',
    async (name, rows, length, targets, checkpointing) => {
      const off = await relativeError(name, rows, length, lora({targets: [...targets]}), checkpointing)
      expect(Math.abs(off)).toBeLessThan(0.1)
    },
  )

  test.each<[string, number, number, AdapterSettings, Checkpointing]>([
    ['tiny-mamba', 4, 64, partial('*'), 'none'],
    ['tiny-mamba', 4, 64, partial('*'), 'block'],
    ['tiny-mamba2', 2, 160, partial('*'), 'none'],
    ['tiny-mamba', 4, 64, partial('A_log', 'dt_proj.bias', 'embeddings'), 'none'],
    ['tiny-mamba2', 2, 160, prodial({blocks: 64}), 'none'],
    ['tiny-mamba', 4, 64, deltaScale('channel'), 'none'],
    ['tiny-mamba', 4, 64, sparse(), 'block'],
  ])('is within 10 %% of the heap: %s, %i × %i, %j, %s', async (name, rows, length, settings, checkpointing) => {
    expect(Math.abs(await relativeError(name, rows, length, settings, checkpointing))).toBeLessThan(0.1)
  })
})
