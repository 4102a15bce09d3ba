import {expect, test} from '@jest/globals'
import {readFileSync} from 'node:fs'
import {presetConfig, type PresetName} from '../../src/model/presets.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {type StepShape} from '../../src/train/memory-shape.js'
import {lora} from '../support/random-adapter.js'

const GIB = 2 ** 30

const COLUMNS = [
  [8, 512],
  [32, 512],
  [4, 2048],
] as const

/** Model, weights, adapters with optimizer, and the totals */
const rows = [...readFileSync('docs/memory.md', 'utf8').matchAll(/^\| (mamba-[\w.]+) +\|(.*)\|$/gm)].map(
  ([, model, cells]) => [model as PresetName, cells.split('|').map(Number)] as const,
)

test('docs/memory.md has a row for each published size', () => {
  expect(rows.map(([model]) => model)).toEqual(['mamba-130m', 'mamba-370m', 'mamba-790m', 'mamba-1.4b', 'mamba-2.8b'])
})

test.each(rows)('the row of %s is within 10 %% of the estimate', async (model, [weights, rest, ...totals]) => {
  const shape: Omit<StepShape, 'checkpointing' | 'length' | 'rows'> = {
    adapters: [lora({rank: 16, targets: ['in_proj', 'x_proj']})],
    config: presetConfig(model),
    device: 'gpu',
    precision: 'f16',
  }
  const estimates = []
  for (const [batch, length] of COLUMNS) {
    for (const checkpointing of ['none', 'block'] as const) {
      estimates.push(await estimateMemory({...shape, checkpointing, length, rows: batch}))
    }
  }
  const [first] = estimates
  const wanted = [first.weights, first.adapters + first.optimizer, ...estimates.map(({total}) => total)]
  const written = [weights, rest, ...totals]
  expect(written).toHaveLength(wanted.length)
  for (const [index, bytes] of wanted.entries()) {
    // Two digits after the point are written.
    expect(Math.abs(written[index] * GIB - bytes)).toBeLessThan(Math.max(0.1 * bytes, 0.005 * GIB))
  }
})
