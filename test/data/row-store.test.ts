/** Rows beyond memory: the same examples as in memory, read one by one, kept for the next time, and flat memory. */
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import {mkdtemp, readdir, rm, stat, truncate, utimes, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import fc from 'fast-check'

import {carriedRows, collateCarried} from '../../src/data/carried-rows.js'
import {type DataSettings, type Dataset} from '../../src/data/dataset.js'
import {type ReadingOptions, readDataset} from '../../src/data/rows.js'
import {decodeExample, encodeExample} from '../../src/data/stored-example.js'
import {evaluate} from '../../src/train/evaluate.js'
import {repository, runNode} from '../cli/run-command.js'
import {letters} from './letters.js'

const settings: DataSettings = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 16}
const tokenizer = {...letters, fingerprint: 'letters'}
const rows = Array.from({length: 500}, (_, index) => `{"prompt": "c${'d'.repeat(index % 7)}", "completion": "ef"}\n`)
let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'mambatune-store-'))
  file = path.join(directory, 'rows.jsonl')
  await writeFile(file, rows.join(''))
})

afterEach(() => rm(directory, {force: true, recursive: true}))

const cache = (): string => path.join(directory, 'cache')

function read(more: ReadingOptions = {}, changes: Partial<DataSettings> = {}): Promise<Dataset> {
  return readDataset(
    [file],
    tokenizer,
    {...settings, ...changes},
    {store: {directory: cache(), inMemory: 1000}, ...more},
  )
}

describe('the store', () => {
  test('has the examples that memory would have, in any order', async () => {
    const [stored, kept] = [await read(), await readDataset([file], tokenizer, settings)]
    const {examples} = stored
    expect(examples).toHaveLength(500)
    for (const index of [499, 0, 250, 7]) expect(examples[index]).toEqual(kept.examples[index])
    expect([...examples]).toEqual(kept.examples)
    expect(examples.map(({ids}) => ids.length)).toEqual(kept.examples.map(({ids}) => ids.length))
    expect(examples.slice(3, 5)).toEqual(kept.examples.slice(3, 5))
    expect(examples[500]).toBeUndefined()
    expect(stored).toMatchObject({format: kept.format, notes: kept.notes, truncated: kept.truncated})
  })

  test('has the pieces of rows that memory would have', async () => {
    const [stored, kept] = [await read(), await readDataset([file], tokenizer, settings)]
    const piecesOf = ({examples}: Dataset): unknown[] => {
      const {at, batches} = carriedRows(examples, {length: 3, rows: 4, seed: 1, shuffle: true})
      return Array.from({length: batches}, (_, batch) => collateCarried(at(1, batch)))
    }
    expect(piecesOf(stored)).toEqual(piecesOf(kept))
  })

  test('is not made where memory is enough', async () => {
    await read({store: {directory: cache()}})
    await expect(readdir(cache())).rejects.toThrow()
  })

  test('is used again by the next run, and not by one with another file, tokenizer or setting', async () => {
    let encoded = 0
    const counting = {...tokenizer, encode: (text: string) => (encoded++, letters.encode(text))}
    const again = async (fingerprint: string, changes: Partial<DataSettings> = {}): Promise<boolean> => {
      encoded = 0
      const store = {directory: cache(), inMemory: 1000}
      await readDataset([file], {...counting, fingerprint}, {...settings, ...changes}, {store})
      return encoded === 0
    }
    expect(await again('a')).toBe(false)
    expect(await again('a')).toBe(true)
    expect(await again('b')).toBe(false)
    expect(await again('a', {maxLength: 8})).toBe(false)
    expect(await again('a', {trainOnEos: false})).toBe(false)
    const {atime, mtime} = await stat(file)
    await writeFile(file, rows.join('').replaceAll('ef', 'fe'))
    await utimes(file, atime, mtime)
    expect(await again('a')).toBe(false) // same size and time of change
  })

  test('is left behind by nobody who fails', async () => {
    await writeFile(file, `${rows.join('')}{}\n`)
    await expect(read()).rejects.toMatchObject({code: 'E_DATA'})
    expect(await readdir(cache())).toEqual([])
  })

  test('of which nobody has made use for a month makes room', async () => {
    await read()
    const [old] = await readdir(cache())
    const before = new Date(Date.now() - 31 * 24 * 3600 * 1000)
    await utimes(path.join(cache(), old), before, before)
    await read({}, {maxLength: 9})
    expect(await readdir(cache())).not.toContain(old)
  })

  test('that is damaged or gone is an error that says so', async () => {
    const {examples} = await read()
    const [key] = await readdir(cache())
    await truncate(path.join(cache(), key, 'rows'), 100)
    expect(() => examples[400]).toThrow('The tokenised row 401 cannot be read')
    await rm(cache(), {recursive: true})
    expect(() => examples[0]).toThrow('The tokenised row 1 cannot be read')
  })

  test('that cannot be written is an error with what to do', async () => {
    await writeFile(cache(), 'in the way')
    await expect(read()).rejects.toMatchObject({code: 'E_FILE'})
  })
})

test('an example comes back from its bytes, whatever its labels', () => {
  const label = fc.oneof(fc.constant(-100), fc.nat(50_000))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(50_000), label, fc.boolean()), {maxLength: 50}),
      fc.string(),
      (tokens, name) => {
        const ids = Int32Array.from(tokens, ([id]) => id)
        const labels = Int32Array.from(tokens, ([id, other, isOwn]) => (isOwn ? id : other))
        const where = Buffer.from(name).toString() // without halves of surrogate pairs, which no path of a file has
        expect(decodeExample(encodeExample({ids, labels, where}))).toEqual({ids, labels, where})
      },
    ),
  )
})

test('evaluation asks for each stored row once and holds only its batch', async () => {
  const {examples} = await read()
  const asked: number[] = []
  const watched = new Proxy(examples, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) asked.push(Number(name))
      return Reflect.get(target, name) as unknown
    },
  })
  const stopped = new AbortController()
  stopped.abort(new Error('enough'))
  const options = {batchSize: 8, signal: stopped.signal}
  await expect(evaluate({} as never, watched, options)).rejects.toThrow('Stopped during evaluation')
  expect(asked).toHaveLength(500) // their lengths, one after another
})

test('memory stays flat while a file is read and its rows are visited in shuffled order', async () => {
  const script = path.join(repository, 'test/data/read-large.mjs')
  const peaks: number[] = []
  for (const megabytes of [5, 20]) {
    const {code, stderr, stdout} = await runNode(['--max-old-space-size=128', script, directory, String(megabytes)])
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    peaks.push(Number(stdout))
  }
  // Kept in memory, 15 MB more of text would be 15 million ids and labels: 120 MB. What is not collected at once comes to 40 MB.
  expect(peaks[1] - peaks[0]).toBeLessThan(60)
})
