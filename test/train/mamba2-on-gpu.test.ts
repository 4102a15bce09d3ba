import {expect, test} from '@jest/globals'
import {DeviceError} from '../../src/errors.js'
import {presetConfig} from '../../src/model/presets.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {type StepShape} from '../../src/train/memory-shape.js'
import {lora} from '../support/random-adapter.js'

const shapeOf = (preset: 'mamba2-130m' | 'tiny'): StepShape => ({
  adapters: [lora({targets: ['in_proj']})],
  checkpointing: 'none',
  config: presetConfig(preset),
  device: 'gpu',
  length: 16,
  precision: 'f16',
  rows: 1,
})

test('Mamba-2 on a GPU is refused with what to type, also on paper, and leaves nothing behind', async () => {
  const before = await estimateMemory(shapeOf('tiny'))
  await expect(estimateMemory(shapeOf('mamba2-130m'))).rejects.toMatchObject({hint: 'Use --device cpu.'})
  await expect(estimateMemory(shapeOf('mamba2-130m'))).rejects.toBeInstanceOf(DeviceError)
  expect(await estimateMemory(shapeOf('tiny'))).toEqual(before)
})
