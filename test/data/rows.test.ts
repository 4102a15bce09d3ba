/** What good rows become: ids, labels, notes. Damaged input has a file of its own. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {collate} from '../../src/data/batches.js'
import {type DataSettings, type Dataset, type Example, readDataset} from '../../src/data/rows.js'
import {loadTokenizer} from '../../src/data/tokenizer.js'
import {letters} from './letters.js'

const settings: DataSettings = {format: 'auto', lossOn: 'auto', maxLength: 16, appendEos: true}
const root = fileURLToPath(new URL('../..', import.meta.url))
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mambatune-rows-'))
})

afterAll(async () => {
  await rm(directory, {recursive: true, force: true})
})

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

async function read(name: string, content: string | Uint8Array, changes: Partial<DataSettings> = {}): Promise<Dataset> {
  return readDataset([await file(name, content)], letters, {...settings, ...changes})
}

function plain({ids, labels, where}: Example): {ids: number[]; labels: number[]; where: string} {
  return {ids: [...ids], labels: [...labels], where: basename(where)}
}

describe('prompt and completion', () => {
  const row = '{"prompt": "cd", "completion": "ef"}\n'

  test('the loss is on the completion and on the EOS after it', async () => {
    const dataset = await read('a.jsonl', row)
    expect(dataset).toMatchObject({format: 'prompt_completion', lossOn: 'completion', truncated: 0})
    expect(dataset.examples.map(plain)).toEqual([
      {ids: [3, 4, 5, 6, 0], labels: [-100, -100, 5, 6, 0], where: 'a.jsonl:1'},
    ])
  })

  test('without append_eos there is no EOS', async () => {
    const {examples} = await read('a.jsonl', row, {appendEos: false})
    expect(plain(examples[0])).toMatchObject({ids: [3, 4, 5, 6], labels: [-100, -100, 5, 6]})
  })

  test('loss_on: all trains the prompt too', async () => {
    const dataset = await read('a.jsonl', row, {lossOn: 'all'})
    expect(dataset.lossOn).toBe('all')
    expect(plain(dataset.examples[0])).toMatchObject({ids: [3, 4, 5, 6, 0], labels: [3, 4, 5, 6, 0]})
  })

  test('a token that spans the boundary belongs to the completion, and a note counts such rows', async () => {
    const rows = `${row}{"prompt": "ca", "completion": "bd"}\n`
    const {examples, notes} = await read('a.jsonl', rows)
    expect(plain(examples[1])).toMatchObject({ids: [3, 30, 4, 0], labels: [-100, 30, 4, 0]})
    expect(notes.join('\n')).toMatch(/a token spans the end of the prompt .*: 1 of 2\./)
    expect((await read('a.jsonl', row)).notes.join('\n')).not.toContain('spans')
  })

  test('an empty prompt leaves all but the first token to learn', async () => {
    const {examples} = await read('a.jsonl', '{"prompt": "", "completion": "cd"}')
    expect(plain(examples[0])).toMatchObject({ids: [3, 4, 0], labels: [3, 4, 0]})
    expect(collate(examples).supervisedTokens).toBe(2)
  })
})

describe('text', () => {
  test('the loss is on every token', async () => {
    const dataset = await read('a.jsonl', '{"text": "cde"}')
    expect(dataset).toMatchObject({format: 'text', lossOn: 'all'})
    expect(dataset.examples.map(plain)).toEqual([{ids: [3, 4, 5, 0], labels: [3, 4, 5, 0], where: 'a.jsonl:1'}])
  })

  test('an end that the text has already is not doubled', async () => {
    const ending = {...letters, encode: (text: string) => [...letters.encode(text), 0]}
    const {examples} = await readDataset([await file('a.jsonl', '{"text": "cd"}')], ending, settings)
    expect(plain(examples[0]).ids).toEqual([3, 4, 0])
  })
})

describe('plain text', () => {
  const document = 'cdefg\nhijkl\nmn'

  test('is cut into consecutive pieces, every token in one, with EOS at the very end only', async () => {
    const dataset = await read('a.txt', document, {maxLength: 6})
    expect(dataset).toMatchObject({format: 'text', lossOn: 'all', truncated: 0})
    expect(dataset.examples.map((example) => example.ids.length)).toEqual([6, 6, 3])
    expect(dataset.examples.flatMap((example) => [...example.ids])).toEqual([...letters.encode(document), 0])
    for (const {ids, labels} of dataset.examples) expect([...labels]).toEqual([...ids])
    expect(dataset.examples.map(plain).map(({where}) => where)).toEqual(['a.txt:1', 'a.txt:2', 'a.txt:3'])
  })

  test('without append_eos has no EOS', async () => {
    const {examples} = await read('a.txt', document, {maxLength: 6, appendEos: false})
    expect(examples.flatMap((example) => [...example.ids])).toEqual(letters.encode(document))
  })

  test('a single token left over gets company from the piece before it', async () => {
    const {examples} = await read('a.txt', 'cdefghijklmno', {maxLength: 4, appendEos: false})
    expect(examples.map((example) => example.ids.length)).toEqual([4, 4, 3, 2])
    expect(examples.flatMap((example) => [...example.ids])).toEqual(letters.encode('cdefghijklmno'))
  })

  test('a byte order mark is not part of the text', async () => {
    const utf8 = {...letters, encode: (text: string) => [...Buffer.from(text)].map((byte) => byte % 40)}
    const marked = await readDataset([await file('m.txt', '\uFEFFcd')], utf8, settings)
    const bare = await readDataset([await file('b.txt', 'cd')], utf8, settings)
    expect([...marked.examples[0].ids]).toEqual([...bare.examples[0].ids])
  })
})

describe('rows of ids', () => {
  test('labels are taken as they are, and nothing is appended', async () => {
    const dataset = await read('a.jsonl', '{"input_ids": [3, 4, 5], "labels": [-100, 9, -100]}')
    expect(dataset).toMatchObject({format: 'tokens', lossOn: 'labelled'})
    expect(plain(dataset.examples[0])).toMatchObject({ids: [3, 4, 5], labels: [-100, 9, -100]})
  })

  test('labels are the ids where there are none', async () => {
    const {examples} = await read('a.jsonl', '{"input_ids": [3, 4, 5]}')
    expect(plain(examples[0])).toMatchObject({ids: [3, 4, 5], labels: [3, 4, 5]})
  })

  test('loss_on: all passes over the labels and says so', async () => {
    const {examples, notes} = await read('a.jsonl', '{"input_ids": [3, 4], "labels": [3, -100]}', {lossOn: 'all'})
    expect([...examples[0].labels]).toEqual([3, 4])
    expect(notes.join('\n')).toContain('labels are not used, because data.loss_on is all: 1')
  })

  test('need no tokenizer; ids are then only known to be ids', async () => {
    const path = await file('a.jsonl', '{"input_ids": [3, 50000]}')
    const {examples} = await readDataset([path], null, settings)
    expect([...examples[0].ids]).toEqual([3, 50_000])
  })
})

describe('truncation', () => {
  test('cuts on the right, EOS included, and counts', async () => {
    const rows = '{"prompt": "cd", "completion": "efghijk"}\n{"prompt": "cd", "completion": "ef"}\n'
    const dataset = await read('a.jsonl', rows, {maxLength: 5})
    expect(dataset.truncated).toBe(1)
    expect(plain(dataset.examples[0])).toMatchObject({ids: [3, 4, 5, 6, 7], labels: [-100, -100, 5, 6, 7]})
    expect(dataset.notes).toContain('Rows cut on the right to max_length 5: 1 of 2 (the longest has 10 tokens).')
  })

  test('a row of exactly max_length is whole', async () => {
    const {truncated, examples} = await read('a.jsonl', '{"text": "cdef"}', {maxLength: 5})
    expect(truncated).toBe(0)
    expect([...examples[0].ids]).toEqual([3, 4, 5, 6, 0])
  })

  test('ids and their labels are cut together', async () => {
    const {examples} = await read('a.jsonl', '{"input_ids": [3, 4, 5], "labels": [-100, 4, 5]}', {maxLength: 2})
    expect(plain(examples[0])).toMatchObject({ids: [3, 4], labels: [-100, 4]})
  })
})

describe('containers', () => {
  const expected = [
    {ids: [3, 4, 0], labels: [3, 4, 0], where: ''},
    {ids: [5, 6, 0], labels: [5, 6, 0], where: ''},
  ]
  const withoutPlace = ({examples}: Dataset): unknown => examples.map((example) => ({...plain(example), where: ''}))

  test.each([
    ['plain lines', '{"text":"cd"}\n{"text":"ef"}\n'],
    ['no last line break', '{"text":"cd"}\n{"text":"ef"}'],
    ['Windows line ends', '{"text":"cd"}\r\n{"text":"ef"}\r\n'],
    ['a byte order mark', '\uFEFF{"text":"cd"}\n{"text":"ef"}\n'],
    ['blank lines at the end', '{"text":"cd"}\n{"text":"ef"}\n\n  \r\n\n'],
    ['keys that no format knows', '{"id": 1, "text":"cd"}\n{"text":"ef", "source": "x"}\n'],
  ])('JSONL with %s', async (_, content) => {
    expect(withoutPlace(await read('a.jsonl', content))).toEqual(expected)
  })

  test('a JSON array, and its rows know their lines', async () => {
    const dataset = await read('a.json', '\uFEFF[\n {"text":"cd"},\n\n {"text":\n"ef"}]\n')
    expect(withoutPlace(dataset)).toEqual(expected)
    expect(dataset.examples.map((example) => basename(example.where))).toEqual(['a.json:2', 'a.json:4'])
  })

  test('several files of one format are read in order', async () => {
    const files = [
      await file('1.jsonl', '{"text":"cd"}\n'),
      await file('2.json', '[{"text":"ef"}]'),
      await file('3.txt', 'gh'),
    ]
    const {examples} = await readDataset(files, letters, settings)
    expect(examples.map((example) => basename(example.where))).toEqual(['1.jsonl:1', '2.json:1', '3.txt:1'])
  })

  test('a line that is longer than the chunks of a file, with characters across their borders', async () => {
    const text = 'é😀c'.repeat(60_000)
    const {examples} = await read('a.jsonl', `${JSON.stringify({text})}\n{"text":"cd"}\n`, {maxLength: 100_000})
    expect(examples.map((example) => example.ids.length)).toEqual([60_001, 3])
  })
})

describe('format', () => {
  test('auto says which format was found, where and why, and where the loss is', async () => {
    const {notes} = await read('a.jsonl', '{"prompt": "cd", "completion": "ef"}\n')
    expect(notes[0]).toMatch(/^Rows are read as prompt_completion: .*a\.jsonl:1 has the keys prompt, completion\.$/)
    expect(notes[1]).toBe('The loss is on the completions only, not on the prompts.')
  })

  test('a format that was named decides between the keys of an ambiguous row', async () => {
    const row = '{"prompt": "cd", "completion": "ef", "text": "gh"}'
    const text = await read('a.jsonl', row, {format: 'text'})
    expect([...text.examples[0].ids]).toEqual([7, 8, 0])
    expect(text.notes[0]).toBe('Rows are read as text: data.format is text.')
    expect([...(await read('a.jsonl', row, {format: 'prompt_completion'})).examples[0].ids]).toEqual([3, 4, 5, 6, 0])
  })
})

describe('with the shipped tokenizer', () => {
  test('the shipped definitions all have a completion to learn, and prompts that are prefixes', async () => {
    const tokenizer = await loadTokenizer(join(root, 'models/tiny-mamba'))
    const validation = join(root, 'data/definitions.validation.jsonl')
    const dataset = await readDataset([validation], tokenizer, {...settings, maxLength: 128})
    expect(dataset.examples.length).toBe(400)
    for (const {ids, labels} of dataset.examples) {
      const first = labels.findIndex((label) => label !== -100)
      expect(tokenizer.decode([...ids.subarray(0, first)])).toMatch(/^Define the \w+ "[^"]+"\.\n$/)
      expect(ids.at(-1)).toBe(dataset.truncated > 0 && ids.length === 128 ? ids[127] : 0)
    }
  })

  test("a row's ids and labels are the same alone and beside other rows", async () => {
    const tokenizer = await loadTokenizer(join(root, 'models/tiny-mamba'))
    const rows = [
      '{"prompt": "One ", "completion": "two three"}',
      '{"prompt": "A", "completion": " much longer row than that"}',
    ]
    const together = await readDataset([await file('two.jsonl', rows.join('\n'))], tokenizer, settings)
    const batch = collate(together.examples)
    for (const [index, row] of rows.entries()) {
      const alone = collate((await readDataset([await file('one.jsonl', row)], tokenizer, settings)).examples)
      const begin = index * batch.length
      expect(batch.ids.slice(begin, begin + alone.length)).toEqual(alone.ids)
      expect(batch.labels.slice(begin, begin + alone.length)).toEqual(alone.labels)
      expect(batch.labels.slice(begin + alone.length, begin + batch.length).every((label) => label === -100)).toBe(true)
    }
  })
})
