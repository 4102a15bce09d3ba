/**
 * The tokenizer against ids and texts from the Hugging Face tokenizers library (fixtures, and a few written here from its release 0.23.2),
 * the stream decoder against decoding everything at once, and damaged tokenizer files.
 */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {cp, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {RandomStream} from '../../src/data/random.js'
import {loadTokenizer, StreamDecoder, type Tokenizer} from '../../src/data/tokenizer.js'
import {FileError} from '../../src/errors.js'

const model = fileURLToPath(new URL('../../models/tiny-mamba', import.meta.url))
const golden = fileURLToPath(new URL('../fixtures/golden/tokenizer-reference.json', import.meta.url))

interface Reference {
  readonly text: string
  readonly ids: number[]
  readonly decoded: string
}

let tokenizer: Tokenizer
let references: Reference[]
let directory: string

beforeAll(async () => {
  tokenizer = await loadTokenizer(model)
  references = JSON.parse(await readFile(golden, 'utf8')) as Reference[]
  directory = await mkdtemp(join(tmpdir(), 'mambatune-tokenizer-'))
})

afterAll(async () => {
  await rm(directory, {recursive: true, force: true})
})

describe('against the Hugging Face tokenizers library', () => {
  test('every reference text encodes to the same ids and decodes to the same text', () => {
    expect(references.length).toBeGreaterThan(10)
    for (const {text, ids, decoded} of references) {
      expect({text, ids: tokenizer.encode(text)}).toEqual({text, ids})
      expect({text, decoded: tokenizer.decode(ids)}).toEqual({text, decoded})
    }
  })

  test.each([
    ["\uFEFF't b", [173, 121, 125, 8, 85, 281]],
    ['a\u0085\u0085 b', [66, 128, 229, 128, 229, 281]],
    ['x\u001C y', [89, 218, 422]],
    [
      "wait .. , isn't  it ?\u3000yes",
      [88, 2024, 222, 537, 222, 13, 312, 79, 1065, 222, 390, 859, 161, 224, 224, 90, 275],
    ],
  ])('%j: white space is that of Unicode, and decoding cleans nothing up', (text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids)
    expect(tokenizer.decode(ids)).toBe(text)
  })

  test('bytes that are no character decode to U+FFFD, one for each broken sequence', () => {
    expect(tokenizer.decode([129])).toBe('\uFFFD')
    expect(tokenizer.decode([174, 255, 248])).toBe('\uFFFD')
    expect(tokenizer.decode([66, 129, 0, 109])).toBe('a\uFFFD<|endoftext|>\uFFFD')
  })

  test('ids outside the vocabulary decode to nothing', () => {
    expect(tokenizer.decode([2047, 2048, 66, 1_000_000])).toBe('PDa')
    expect(tokenizer.decode([5000])).toBe('')
  })

  test('eosId and vocabularySize come from the files', () => {
    expect(tokenizer.eosId).toBe(0)
    expect(tokenizer.vocabularySize).toBe(2048)
  })
})

describe('speed', () => {
  test('a tokenizer of 2,000 entries loads within a second', async () => {
    const start = performance.now()
    await loadTokenizer(model)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test.each([
    ['1 MB of prose', 'And the earth was without form, and void; '.repeat(25_000)],
    ['a word of 300 kB', 'a'.repeat(300_000)],
    ['300 kB of white space', `${' '.repeat(300_000)}x`],
  ])('%s is encoded without growing as its square', (_, text) => {
    const start = performance.now()
    const ids = tokenizer.encode(text)
    expect(performance.now() - start).toBeLessThan(30_000)
    expect(tokenizer.decode(ids)).toBe(text)
  })
})

describe('StreamDecoder', () => {
  function stream(ids: readonly number[]): string[] {
    const decoder = new StreamDecoder(tokenizer)
    return [...ids.map((id) => decoder.push(id)), decoder.end()]
  }

  test('a character of four tokens appears when its last token does', () => {
    const ids = [...tokenizer.encode('a'), ...tokenizer.encode('😀'), ...tokenizer.encode('b')]
    expect(stream(ids)).toEqual(['a', '', '', '', '😀', 'b', ''])
  })

  test('reference texts come out whole, without a replacement character on the way', () => {
    for (const {text, ids} of references) {
      const parts = stream(ids)
      expect(parts.join('')).toBe(text)
      expect(parts.some((part) => part.includes('\uFFFD'))).toBe(false)
    }
  })

  test('an unfinished character at the end of the stream becomes U+FFFD, once', () => {
    expect(stream([66, 174, 255, 248])).toEqual(['a', '', '', '', '\uFFFD'])
    const decoder = new StreamDecoder(tokenizer)
    decoder.push(174)
    expect([decoder.end(), decoder.end()]).toEqual(['\uFFFD', ''])
  })

  test('any ids stream to what decoding them at once gives, and what was emitted never changes', () => {
    const random = new RandomStream(1, 'stream decoder test')
    for (let round = 0; round < 300; round++) {
      // Half of the ids are single bytes, so that broken and long sequences are common.
      const ids = Array.from({length: 40}, () => Math.floor(random.uniform() * (random.uniform() < 0.5 ? 2048 : 222)))
      const parts = stream(ids)
      expect(parts.join('')).toBe(tokenizer.decode(ids))
      const emitted = parts.slice(0, 20).join('')
      expect(tokenizer.decode(ids.slice(0, 20)).startsWith(emitted)).toBe(true)
    }
  })

  test('a long run of stray bytes is emitted as it comes', () => {
    const ids = new Array<number>(500).fill(129)
    expect(stream(ids).join('')).toBe('\uFFFD'.repeat(500))
  })
})

describe('files', () => {
  async function copyWith(name: string, content: string | null): Promise<string> {
    const copy = await mkdtemp(join(directory, 'model-'))
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await cp(join(model, file), join(copy, file))
    if (content === null) await rm(join(copy, name))
    else await writeFile(join(copy, name), content)
    return copy
  }

  async function failure(path: string): Promise<FileError> {
    const error: unknown = await loadTokenizer(path).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(FileError)
    return error as FileError
  }

  test.each([
    ['"<|padding|>"', 1],
    ['{"content": "<|padding|>", "special": true}', 1],
    ['null', null],
  ])('eos_token %s has the id %p', async (eos, id) => {
    const copy = await copyWith('tokenizer_config.json', `{"eos_token": ${eos}}`)
    expect((await loadTokenizer(copy)).eosId).toBe(id)
  })

  test('without tokenizer_config.json there is no eos, and text still works', async () => {
    const copy = await copyWith('tokenizer_config.json', null)
    const loaded = await loadTokenizer(copy)
    expect(loaded.eosId).toBeNull()
    expect(loaded.encode('Hello world')).toEqual(tokenizer.encode('Hello world'))
  })

  test('vocabularySize counts added tokens above the vocabulary', async () => {
    const json = JSON.parse(await readFile(join(model, 'tokenizer.json'), 'utf8')) as {added_tokens: unknown[]}
    json.added_tokens.push({id: 2100, content: '<|new|>', special: true})
    const loaded = await loadTokenizer(await copyWith('tokenizer.json', JSON.stringify(json)))
    expect(loaded.vocabularySize).toBe(2101)
    expect(loaded.encode('a<|new|>')).toEqual([66, 2100])
  })

  test('a missing tokenizer.json says what is missing and what to do', async () => {
    const error = await failure(await copyWith('tokenizer.json', null))
    expect(error.message).toContain('tokenizer.json is missing')
    expect(error.hint).toContain('copy tokenizer.json')
  })

  test('a missing directory is called that', async () => {
    expect((await failure(join(directory, 'nowhere'))).message).toContain('nowhere: no such directory')
  })

  test.each([
    ['tokenizer.json', '{"model": ', 'tokenizer.json is not valid JSON: '],
    ['tokenizer.json', '[1]', 'tokenizer.json: expected a JSON object, got an array'],
    ['tokenizer_config.json', '{eos}', 'tokenizer_config.json is not valid JSON: '],
    [
      'tokenizer.json',
      '{"model": {"type": "BPE", "vocab": {"<|endoftext|>": 0}}}',
      'tokenizer.json is of a kind that cannot be read',
    ],
  ])('%s with %j is refused', async (name, content, fragment) => {
    expect((await failure(await copyWith(name, content))).message).toContain(fragment)
  })

  test.each([
    ['tokenizer.json', '{"model": {}, "added_tokens": {}}', ['model.vocab', 'added_tokens']],
    [
      'tokenizer.json',
      '{"model": {"vocab": {"a": "0", "b": -1}}}',
      ['expected tokens with whole numbers, got ["a","0"]; such entries: 2'],
    ],
    ['tokenizer_config.json', '{"eos_token": 7}', ['expected a string or {content}, got a number']],
    ['tokenizer_config.json', '{"eos_token": "</s>"}', ['"</s>" is not in the vocabulary']],
  ])('%s with %j lists its faults', async (name, content, fragments) => {
    const {faults, message} = await failure(await copyWith(name, content))
    const listed = faults.map((fault) => `${fault.where} ${fault.message}`).join('\n')
    expect(message).toContain('is damaged')
    for (const fragment of fragments) expect(listed).toContain(fragment)
  })
})
