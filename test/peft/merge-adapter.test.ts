import {expect, test} from '@jest/globals'
import {readdir} from 'node:fs/promises'
import {InterruptedError} from '../../src/errors.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
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
