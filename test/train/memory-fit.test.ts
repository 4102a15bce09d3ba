import {describe, expect, test} from '@jest/globals'
import {presetConfig} from '../../src/model/presets.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {
  chooseCheckpointing,
  fits,
  fittingEvaluation,
  type FittingSettings,
  fittingSettings,
  type RunShape,
} from '../../src/train/memory-fit.js'
import {lora} from '../support/random-adapter.js'

const SHAPE: RunShape = {
  adapters: [lora({rank: 16, targets: ['in_proj', 'x_proj']})],
  checkpointing: 'none',
  config: presetConfig('mamba-130m'),
  device: 'gpu',
  gradientAccumulation: 2,
  length: 512,
  precision: 'f16',
  rows: 12,
}

const UNKNOWN = {bytes: null, source: 'not known'}
const limitOf = (bytes: number) => ({bytes, source: '--gpu-memory'})
const totalOf = async (parts: Partial<RunShape>): Promise<number> => (await estimateMemory({...SHAPE, ...parts})).total
const settingsOf = (found: readonly FittingSettings[]): string[] => found.map(({settings}) => settings.join(' '))

describe('train.checkpointing: auto', () => {
  test('keeps activations where they fit, with room to spare', async () => {
    const total = await totalOf({})
    expect(await chooseCheckpointing(SHAPE, limitOf(total / 0.84))).toBe('none')
    expect(await chooseCheckpointing(SHAPE, limitOf(total / 0.86))).toBe('block')
  })

  test('keeps up to 4 GiB where the memory is not known', async () => {
    expect(fits(4 * 2 ** 30, UNKNOWN)).toBe(true)
    expect(fits(4 * 2 ** 30 + 1, UNKNOWN)).toBe(false)
    expect(await chooseCheckpointing({...SHAPE, rows: 1}, UNKNOWN)).toBe('none')
    expect(await chooseCheckpointing({...SHAPE, rows: 64}, UNKNOWN)).toBe('block')
  })

  test('changes nothing on the processor', async () => {
    expect(await chooseCheckpointing({...SHAPE, device: 'cpu'}, limitOf(1))).toBe('none')
  })
})

describe('settings that are predicted to fit', () => {
  test('change as little as they can, and keep the rows of a step', async () => {
    const memory = limitOf((await totalOf({checkpointing: 'block'})) / 0.84)
    const found = await fittingSettings(SHAPE, memory)
    expect(settingsOf(found).slice(0, 2)).toEqual([
      'train.checkpointing=block',
      expect.stringMatching(/^train\.batch_size=[1-6] train\.gradient_accumulation=\d+$/),
    ])
    const [, rows, batches] = /=(\d+) .*=(\d+)$/.exec(settingsOf(found)[1]) ?? []
    expect(Number(rows) * Number(batches)).toBe(24)
    for (const {total} of found) expect(fits(total, memory)).toBe(true)
  })

  test('are those that the estimate was made of', async () => {
    const memory = limitOf(2 ** 30)
    for (const {settings, total} of await fittingSettings(SHAPE, memory)) {
      const number = (key: string, otherwise: number): number =>
        Number(settings.find((setting) => setting.startsWith(key))?.split('=')[1] ?? otherwise)
      const length = number('data.max_length', 512)
      const rows = number('train.batch_size', 12)
      const checkpointing = settings.includes('train.checkpointing=block') ? 'block' : 'none'
      expect(await totalOf({checkpointing, length, rows})).toBe(total)
    }
  })

  test('are none where the weights alone are too much', async () => {
    expect(await fittingSettings(SHAPE, limitOf(2 ** 20))).toEqual([])
  })

  test('of an evaluation are fewer rows, and then shorter ones', async () => {
    const [fewer] = await fittingEvaluation({...SHAPE, rows: 64}, limitOf(2 ** 30))
    expect(fewer.settings).toEqual([expect.stringMatching(/^batch-size=\d+$/)])
    const [shorter] = await fittingEvaluation({...SHAPE, length: 65_536, rows: 1}, limitOf(2 ** 30))
    expect(shorter.settings).toEqual(['batch-size=1', expect.stringMatching(/^max-length=\d+$/)])
  })
})
