/** Rows that are held out of training: a partition of whole rows, the same for every run, in memory as in a file. */
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import fc from 'fast-check'

import {type DataSettings, type Dataset} from '../../src/data/dataset.js'
import {heldOutCount, heldOutRows, holdOut} from '../../src/data/held-out.js'
import {packExamples} from '../../src/data/packing.js'
import {type ReadingOptions, readDataset} from '../../src/data/rows.js'
import {letters} from './letters.js'

const settings: DataSettings = {appendEos: false, format: 'auto', lossOn: 'auto', maxLength: 4}
const tokenizer = {...letters, fingerprint: 'letters'}
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'mambatune-held-out-'))
})

afterEach(() => rm(directory, {force: true, recursive: true}))

/** Rows of 2 to 9 tokens. */
async function rowsFile(count: number): Promise<string> {
  const file = path.join(directory, 'rows.jsonl')
  const rows = Array.from({length: count}, (_, index) => `{"text": "c${'d'.repeat(1 + (index % 8))}"}\n`)
  await writeFile(file, rows.join(''))
  return file
}

const read = (files: string | string[], changes: Partial<DataSettings> = {}, more: ReadingOptions = {}) =>
  readDataset([files].flat(), tokenizer, {...settings, ...changes}, more)

const placesOf = ({examples}: Dataset): string[] => [...new Set(examples.map(({where}) => where))]

describe('which rows', () => {
  test('is a partition near to the share, with a row on each side', () => {
    fc.assert(
      fc.property(fc.integer({max: 3000, min: 2}), fc.double({max: 0.49, min: 1e-4, noNaN: true}), (count, share) => {
        const held = heldOutRows(count, share).reduce((sum, one) => sum + one, 0)
        expect(held).toBe(heldOutCount(count, share))
        expect(Math.abs(held - share * count)).toBeLessThanOrEqual(held === 1 ? 1 : 0.5)
        expect(count - held).toBeGreaterThanOrEqual(1)
      }),
      {numRuns: 50},
    )
  })

  test('never changes', () => {
    const numbers = (count: number, share: number): number[] =>
      [...heldOutRows(count, share).entries()].filter(([, held]) => held === 1).map(([row]) => row)
    expect(numbers(2, 0.05)).toEqual([0])
    expect(numbers(40, 0.1)).toEqual([0, 4, 5, 36])
    const [some, more] = [numbers(1000, 0.05), numbers(1000, 0.1)]
    expect(more).toEqual(expect.arrayContaining(some))
    // Rows at the end of a file move few of those before.
    const longer = numbers(1100, 0.05)
    expect(some.filter((row) => longer.includes(row)).length).toBeGreaterThan(40)
  })
})

describe('a dataset', () => {
  test.each(['split', 'drop', 'truncate_right'] as const)(
    'is divided by rows, whole, with overflow %s',
    async (overflow) => {
      const all = await read(await rowsFile(60), {overflow})
      const {train, validation} = holdOut(all, 0.2)
      expect(all.rowBegins).toHaveLength(60)
      expect(train.rowBegins.length + validation.rowBegins.length).toBe(60)
      expect(validation.rowBegins).toHaveLength(12)
      expect([...train.examples, ...validation.examples]).toHaveLength(all.examples.length)
      expect(placesOf(train).filter((where) => placesOf(validation).includes(where))).toEqual([])
      expect([...placesOf(train), ...placesOf(validation)].sort()).toEqual(placesOf(all).sort())
      expect(validation.notes.at(-1)).toBe('12 of 60 rows are held out of training.')
    },
  )

  test('holds out the same rows whatever becomes of long ones', async () => {
    const file = await rowsFile(60)
    const held = async (changes: Partial<DataSettings>): Promise<string[]> =>
      placesOf(holdOut(await read(file, changes), 0.2).validation)
    const whole = await held({maxLength: 16})
    expect(await held({overflow: 'split'})).toEqual(whole)
    expect(whole).toEqual(expect.arrayContaining(await held({overflow: 'drop'})))
  })

  test('of plain text is divided by files, whose pieces stay together', async () => {
    const files = ['a.txt', 'b.txt', 'c.txt'].map((name) => path.join(directory, name))
    for (const file of files) await writeFile(file, 'cdef'.repeat(5))
    const {train, validation} = holdOut(await read(files), 0.3)
    expect([train.examples.length, validation.examples.length]).toEqual([10, 5])
    expect(new Set(validation.examples.map(({where}) => where.split(':')[0])).size).toBe(1)
    expect(validation.notes.at(-1)).toBe('1 of 3 plain text files is held out of training.')
  })

  test('in a file is divided as in memory, when it is written and when it is found again', async () => {
    const file = await rowsFile(200)
    const kept = holdOut(await read(file, {overflow: 'split'}), 0.1)
    for (const time of ['written', 'found']) {
      const store = {directory: path.join(directory, 'cache'), inMemory: 1000}
      const stored = holdOut(await read(file, {overflow: 'split'}, {store}), 0.1)
      for (const side of ['train', 'validation'] as const) {
        expect({...stored[side], examples: [...stored[side].examples], time}).toEqual({
          ...kept[side],
          examples: [...kept[side].examples],
          time,
        })
      }
    }
  })

  test('packs what is left, and nothing else', async () => {
    const {train} = holdOut(await read(await rowsFile(60)), 0.2)
    const lengths = train.examples.map(({ids}) => ids.length)
    const packed = packExamples(lengths, {capacity: 8, seed: 1, shuffle: true})
    expect(packed.flatMap((row) => [...row]).sort((a, b) => a - b)).toEqual([...train.examples.keys()])
  })

  test('with too few rows says so', async () => {
    const single = await read(await rowsFile(1))
    expect(() => holdOut(single, 0.05)).toThrow(
      expect.objectContaining({
        code: 'E_DATA',
        faults: [{message: 'of a single row none can be held out; expected two or more', where: 'data.validation'}],
      }),
    )
    // Of rows of 2 to 9 tokens, one of the first two is dropped.
    const dropped = await read(await rowsFile(2), {maxLength: 2, overflow: 'drop'})
    expect(() => holdOut(dropped, 0.05)).toThrow(
      expect.objectContaining({
        faults: [expect.objectContaining({message: expect.stringContaining('longer than data.max_length')})],
      }),
    )
  })
})
