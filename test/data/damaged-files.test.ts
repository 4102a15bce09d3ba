/** Files of every format and container with bytes changed: what comes of them is data or an error of ours. */
import {afterAll, beforeAll, expect, test} from '@jest/globals'
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {gzipSync} from 'node:zlib'

import fc from 'fast-check'

import {type Columns, type DataFormat, LOSS_PARTS, type LossOn, OVERFLOWS, ROW_FORMATS} from '../../src/data/dataset.js'
import {readDataset} from '../../src/data/rows.js'
import {MambatuneError} from '../../src/errors.js'
import {letters} from './letters.js'

const NAMES = [
  'alpaca.csv',
  'chat.jsonl',
  'chat.parquet',
  'pairs.tsv',
  'plain.txt',
  'segments.jsonl',
  'sharegpt.json',
  'text.jsonl.gz',
  'tokens.jsonl',
  'tokens.parquet',
]
const files = new Map<string, Buffer>()
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'mambatune-damaged-files-'))
  for (const name of NAMES) files.set(name, await readFile(path.join('test/fixtures/data', name)))
})

afterAll(() => rm(directory, {force: true, recursive: true}))

/** What fits every file, and now and then what may not */
function mostly<Value>(usual: Value, others: readonly Value[]): fc.Arbitrary<Value> {
  return fc.oneof({arbitrary: fc.constant(usual), weight: 9}, {arbitrary: fc.constantFrom(...others), weight: 1})
}

const settings = fc.record({
  appendEos: fc.boolean(),
  columns: mostly<Columns>({}, [{completion: 'answer', prompt: 'question'}]),
  format: mostly<DataFormat>('auto', ROW_FORMATS),
  lossOn: mostly<LossOn>('auto', [...LOSS_PARTS, ['user']]),
  maxLength: fc.integer({max: 400, min: 2}),
  overflow: fc.constantFrom(...OVERFLOWS),
  template: mostly<string | null>(null, ['chatml', 'plain', 'alpaca']),
  trainOnEos: fc.boolean(),
})

const changes = fc.array(
  fc.record({
    at: fc.double({max: 1, min: 0, noNaN: true}),
    bytes: fc.oneof(
      fc.uint8Array({maxLength: 4}),
      fc.constantFrom('"', ',', '\n', '{', '[', '0', 'null', '\t').map((text) => Buffer.from(text)),
    ),
    removed: fc.nat(6),
  }),
  {maxLength: 4},
)

function changed(content: Buffer, list: readonly {at: number; bytes: Uint8Array; removed: number}[]): Buffer {
  return list.reduce((bytes, {at, bytes: put, removed}) => {
    const place = Math.floor(at * bytes.length)
    return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + removed)])
  }, content)
}

test('a changed file of any kind is read or refused, and what is read has rows that can be learnt from', async () => {
  const counts = {read: 0, refused: 0}
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...NAMES), changes, settings, fc.boolean(), async (name, list, given, pack) => {
      const bytes = changed(files.get(name) ?? Buffer.alloc(0), list)
      const file = path.join(directory, name)
      await writeFile(file, pack ? gzipSync(bytes) : bytes)
      try {
        const {examples} = await readDataset([file], letters, given)
        counts.read++
        for (const {ids, labels} of examples) {
          expect(ids.length).toBeLessThanOrEqual(given.maxLength)
          expect(labels).toHaveLength(ids.length)
          expect(labels.subarray(1).some((label) => label !== -100)).toBe(true)
        }
      } catch (error) {
        if (!(error instanceof MambatuneError)) throw error
        counts.refused++
      }
    }),
    {numRuns: 400},
  )
  expect(counts.read).toBeGreaterThan(30)
  expect(counts.refused).toBeGreaterThan(100)
}, 120_000)

test('a column that Parquet has twice is refused before any is read: the failure of the second would end the process', async () => {
  const reading = readDataset(['test/fixtures/data/column-twice.parquet'], letters, {
    appendEos: false,
    format: 'tokens',
    lossOn: 'auto',
    maxLength: 64,
  })
  await expect(reading).rejects.toMatchObject({
    code: 'E_DATA',
    faults: [{message: expect.stringContaining('row group 1 has a column "labels.list.element" twice')}],
  })
})
