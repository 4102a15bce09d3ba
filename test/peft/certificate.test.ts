import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {readdir} from 'node:fs/promises'
import path from 'node:path'
import {collate} from '../../src/data/batches.js'
import {fingerprintTensors, openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {FileError, NumericError} from '../../src/errors.js'
import {readMambaConfig} from '../../src/model/config.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type Certificate, certify, mergeTolerance} from '../../src/peft/certificate.js'
import {mergeAdapter, type MergeReport} from '../../src/peft/merge-adapter.js'
import {type MergeDtype} from '../../src/peft/merge.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {saveAdapter} from '../../src/peft/saved-adapter.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {randomise} from '../support/golden-model.js'
import {workDirectory} from '../support/work-directory.js'

describe('the tolerance', () => {
  test('is that of f32 sums for f32 weights, and grows with the roundoff of the coarsest format and √m', () => {
    expect(mergeTolerance(['F32', 'F32']).tolerance).toBeCloseTo(1e-4, 6)
    expect(mergeTolerance(['F32', 'BF16', 'F16', 'F32'])).toEqual({format: 'BF16', tolerance: 1e-4 + 3 * 2 * 2 ** -8})
    expect(mergeTolerance(['F16'])).toEqual({format: 'F16', tolerance: 1e-4 + 3 * 2 ** -11})
  })
})

describe('the comparison of attached and merged', () => {
  const batch = collate([{ids: Int32Array.of(1, 2), labels: Int32Array.of(1, 2), where: 'row'}])
  const limit = {format: 'F32', tolerance: 1e-3}
  const attached = {logits: Float32Array.of(1, 4, 2, -1), loss: 2}

  function compare(other: Partial<typeof attached>): Certificate {
    return certify({attached: [attached], base: [attached], merged: [{...attached, ...other}]}, [batch], limit)
  }

  test('passes what is the same', () => {
    expect(compare({})).toEqual({
      adapter_effect: 0,
      batches: 1,
      logits_difference: 0,
      loss_attached: 2,
      loss_difference: 0,
      loss_merged: 2,
      number_format: 'F32',
      passed: true,
      same_top_token: 1,
      tokens: 2,
      tolerance: 1e-3,
    })
  })

  test.each([
    ['just within', 4 * 0.9e-3, true],
    ['just beyond', 4 * 1.1e-3, false],
  ])('of one logit %s the tolerance, relative to the largest: passed %p', (_, gap, passed) => {
    expect(compare({logits: Float32Array.of(1, 4, 2, -1 - gap)}).passed).toBe(passed)
  })

  test('does not pass another loss, nor anything that is not a number', () => {
    expect(compare({loss: 2.1}).passed).toBe(false)
    expect(compare({loss: NaN}).passed).toBe(false)
    expect(compare({logits: Float32Array.of(1, 4, 2, NaN)}).passed).toBe(false)
  })

  test('counts the positions whose most probable token is the same', () => {
    expect(compare({logits: Float32Array.of(5, 4, 2, -1)}).same_top_token).toBe(0.5)
  })
})

describe('a merge', () => {
  const inWork = workDirectory()
  const base = goldenPath('mamba1')

  /** Saves a random adapter whose values have this size. */
  async function adapterOfSize(name: string, size: number): Promise<string> {
    const {config, tensors} = await openModelDirectory(base)
    const settings = {method: 'lora' as const, targets: ['in_proj'], rank: 2, alpha: 4, dropout: 0, rslora: false}
    const adapters = AdapterSet.create([settings], readMambaConfig(config, base), 1)
    randomise(adapters, 1, size)
    await saveAdapter(
      inWork(name),
      {settings: adapters.settings, values: await adapters.values()},
      {architecture: 'mamba', fingerprint: await fingerprintTensors(tensors), path: base},
    )
    adapters.dispose()
    return inWork(name)
  }

  const merge = (adapter: string, dtype: MergeDtype): Promise<MergeReport> =>
    mergeAdapter({
      adapter,
      anyBase: false,
      base,
      batches: probeBatches,
      dtype,
      out: inWork('merged', path.basename(adapter)),
      partial: false,
    })

  beforeAll(() => useBackend('wasm'))

  // The base is f32: in other formats all of its 22 tensors are rounded, not only the two that the adapter changes.
  test.each([
    ['f32', 'F32', mergeTolerance(['F32', 'F32'])],
    ['bf16', 'BF16', mergeTolerance(new Array<'BF16'>(22).fill('BF16'))],
    ['f16', 'F16', mergeTolerance(new Array<'F16'>(22).fill('F16'))],
  ] as const)('into %s passes, with the certificate in that format', async (dtype, format, {tolerance}) => {
    const adapter = await adapterOfSize(`good-${dtype}`, 0.1)
    const report = await merge(adapter, dtype)
    expect(report).toMatchObject({changed_tensors: 2, number_format: format, passed: true, tolerance})
    expect(report.logits_difference).toBeGreaterThan(0)
    const {tensors} = await openModelDirectory(inWork('merged', `good-${dtype}`))
    expect(new Set([...tensors.values()].map((entry) => entry.dtype))).toEqual(new Set([format]))
  })

  const written = (): Promise<string[]> => readdir(inWork('merged')).catch(() => [])

  // So large an update drives the scan to its limits, where the rounding of a weight decides which way it goes.
  test('that differs by more than the tolerance is refused, and nothing is written', async () => {
    const adapter = await adapterOfSize('wild', 5)
    const before = await written()
    await expect(merge(adapter, 'bf16')).rejects.toThrow(NumericError)
    expect(await written()).toEqual(before)
    expect(tf.memory().numTensors).toBe(0)
  })

  test('whose weights leave the number format is refused, and nothing is written', async () => {
    const adapter = await adapterOfSize('huge', 1e4)
    const before = await written()
    await expect(merge(adapter, 'f16')).rejects.toThrow(FileError)
    expect(await written()).toEqual(before)
    expect(tf.memory().numTensors).toBe(0)
  })
})
