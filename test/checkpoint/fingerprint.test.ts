/** The fingerprint of a model's weights: what changes it and what does not. Sharding is tested with the directories. */
import {copyFile, writeFile} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {fingerprintTensors, openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {readSafetensorsHeader, type TensorSource, writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {inScratch, refusalOf} from './scratch.js'

const GOLDEN = 'test/fixtures/golden/mamba1'

describe('the fingerprint', () => {
  const bytes = Uint8Array.from({length: 8}, (_, i) => i)
  const base: TensorSource = {bytes: async () => Promise.resolve(bytes), dtype: 'F16', name: 'a', shape: [2, 2]}

  async function fingerprintOf(scratch: string, tensors: readonly TensorSource[]): Promise<string> {
    const file = path.join(scratch, 'x.safetensors')
    await writeSafetensors(file, tensors)
    return fingerprintTensors((await readSafetensorsHeader(file)).entries)
  }

  test('changes with the name, the dtype, the shape and each byte of a tensor, and with nothing else', async () => {
    await inScratch(async (scratch) => {
      const first = await fingerprintOf(scratch, [base])
      expect(first).toMatch(/^sha256:[\da-f]{64}$/)
      expect(await fingerprintOf(scratch, [{...base}])).toBe(first)
      const others = [
        [{...base, name: 'b'}],
        [{...base, dtype: 'BF16'} as const],
        [{...base, shape: [4]}],
        [{...base, bytes: async () => Promise.resolve(bytes.with(7, 0))}],
        [base, {...base, name: 'b'}],
        [],
      ]
      const seen = new Set([first])
      for (const tensors of others) seen.add(await fingerprintOf(scratch, tensors))
      expect(seen.size).toBe(others.length + 1)
    })
  })

  test('does not depend on the order in which tensors are given', async () => {
    const {tensors} = await openModelDirectory(GOLDEN)
    const backwards = new Map([...tensors].reverse())
    expect(await fingerprintTensors(backwards)).toBe(await fingerprintTensors(tensors))
  })

  test('is the same for the same weights on every machine and in every version', async () => {
    const {tensors} = await openModelDirectory(GOLDEN)
    expect(await fingerprintTensors(tensors)).toBe(
      'sha256:d399e47eb7f915ffdb43e723d79837e488f7aa29aad8120ed7f2c41be667a133',
    )
  })

  test('of a file that was cut meanwhile is refused', async () => {
    await inScratch(async (scratch) => {
      const file = path.join(scratch, 'model.safetensors')
      await copyFile(`${GOLDEN}/model.safetensors`, file)
      const {entries: tensors} = await readSafetensorsHeader(file)
      await writeFile(file, 'x')
      expect((await refusalOf(fingerprintTensors(tensors))).text).toMatch(/the file ends at byte \d+/)
    })
  })
})
