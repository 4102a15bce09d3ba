import {expect, test} from '@jest/globals'
import {readdir} from 'node:fs/promises'
import {InterruptedError} from '../../src/errors.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {moreStates, STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

test('a merge that is told to stop leaves nothing behind', async () => {
  await useBackend('wasm')
  const merging = mergeAdapter({
    adapter: goldenPath('mamba1', 'lora'),
    anyBase: false,
    base: goldenPath('mamba1'),
    batches: probeBatches,
    dtype: 'f32',
    out: inWork('merged'),
    partial: false,
    signal: AbortSignal.abort(),
  })
  await expect(merging).rejects.toThrow(InterruptedError)
  expect(await readdir(inWork())).toEqual([])
})

test('a first state cannot stay behind when states are added, and nothing is written', async () => {
  await useBackend('wasm')
  const adapter = await writeRandomAdapter(inWork('adapter'), {settings: [STATE, moreStates({states: 2})]})
  const merging = mergeAdapter({
    adapter,
    anyBase: false,
    base: goldenPath('mamba1'),
    batches: probeBatches,
    dtype: 'f32',
    out: inWork('merged'),
    partial: true,
  })
  await expect(merging).rejects.toMatchObject({
    code: 'E_MISMATCH',
    faults: [{message: expect.stringMatching(/^has shape .* would need /)}],
  })
  expect(await readdir(inWork())).toEqual(['adapter'])
})
