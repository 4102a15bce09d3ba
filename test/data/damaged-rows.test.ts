/** Every kind of damage has a message that says where it is and what was expected, and all damage is reported at once. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {type DataSettings, readDataset} from '../../src/data/rows.js'
import {type Tokenizer} from '../../src/data/tokenizer.js'
import {DataError, EXIT, FileError, type MambatuneError} from '../../src/errors.js'
import {letters} from './letters.js'

const settings: DataSettings = {format: 'auto', lossOn: 'auto', maxLength: 6, appendEos: true}
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mambatune-damaged-'))
})

afterAll(async () => {
  await rm(directory, {recursive: true, force: true})
})

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

interface Failure {
  readonly error: MambatuneError
  /** "where message" of every fault, places without the directory. */
  readonly listed: string[]
}

async function failure(
  files: readonly string[],
  changes: Partial<DataSettings> = {},
  tokenizer: Tokenizer | null = letters,
): Promise<Failure> {
  const error: unknown = await readDataset(files, tokenizer, {...settings, ...changes}).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Error)
  const own = error as MambatuneError
  const listed = own.faults.map(({where, message}) => `${where} ${message}`.replaceAll(join(directory, '/'), '').trim())
  return {error: own, listed}
}

const good = '{"text": "cd"}'
const goodPair = '{"prompt": "cd", "completion": "ef"}'

describe('one fault', () => {
  test.each<[string, string, string, Partial<DataSettings>?]>([
    [`${good}\n{"text": "cd"\n`, 'a.jsonl:2', 'is not valid JSON: '],
    [`${good}\n"cd"\n`, 'a.jsonl:2', 'expected an object like {"prompt": "…", "completion": "…"}, got a string'],
    [`${good}\n[{"text": "cd"}]\n`, 'a.jsonl:2', 'got an array'],
    [`${good}\nnull\n`, 'a.jsonl:2', 'got null'],
    [`${good}\n{"text": 7}\n`, 'a.jsonl:2', 'text: expected a string, got a number'],
    [`${good}\n{"text": ["cd"]}\n`, 'a.jsonl:2', 'text: expected a string, got an array'],
    [`${good}\n{"text": ""}\n`, 'a.jsonl:2', 'text is empty'],
    [`${good}\n{"text": "cd\\ud83d"}\n`, 'a.jsonl:2', 'text: character 3 is half of a surrogate pair'],
    [
      `${good}\n{"body": "cd"}\n`,
      'a.jsonl:2',
      'has the key body; expected prompt and completion, or text, or input_ids',
    ],
    [`${good}\n{}\n`, 'a.jsonl:2', 'has no keys; expected'],
    [
      `${good}\n${goodPair}\n`,
      'a.jsonl:2',
      'is prompt_completion, but the dataset is text (a.jsonl:1 has the key text)',
    ],
    [`${goodPair}\n{"prompt": "cd"}\n`, 'a.jsonl:2', 'completion is missing; the row has the key prompt'],
    [`${goodPair}\n{"completion": "cd"}\n`, 'a.jsonl:2', 'prompt is missing'],
    [`${goodPair}\n{"prompt": "cd", "completion": null}\n`, 'a.jsonl:2', 'completion: expected a string, got null'],
    [`${goodPair}\n{"prompt": "cd", "completion": ""}\n`, 'a.jsonl:2', 'completion is empty'],
    [`{"text": "cd", "prompt": "cd", "completion": "ef"}\n`, 'a.jsonl:1', 'could be prompt_completion or text'],
    [`${good}\n`, 'a.jsonl:1', 'input_ids is missing; the row has the key text', {format: 'tokens'}],
    ['{"input_ids": "3 4"}', 'a.jsonl:1', 'input_ids: expected an array of integers, got a string'],
    ['{"input_ids": [3, 4.5]}', 'a.jsonl:1', 'input_ids[1]: expected an integer from 0 to 41, got 4.5'],
    ['{"input_ids": [3, 42]}', 'a.jsonl:1', 'input_ids[1]: expected an integer from 0 to 41, got 42'],
    ['{"input_ids": [3, -100]}', 'a.jsonl:1', 'input_ids[1]: expected an integer from 0 to 41, got -100'],
    ['{"input_ids": [3, "4"]}', 'a.jsonl:1', 'got "4"'],
    [
      '{"input_ids": [3, 4], "labels": [3, -1]}',
      'a.jsonl:1',
      'labels[1]: expected -100 or an integer from 0 to 41, got -1',
    ],
    ['{"input_ids": [3, 4], "labels": null}', 'a.jsonl:1', 'labels: expected an array of integers, got null'],
    ['{"input_ids": [3, 4], "labels": [3]}', 'a.jsonl:1', 'labels has 1 entries and input_ids 2; expected as many'],
    [
      '{"input_ids": [3, 4], "labels": [3, -100]}',
      'a.jsonl:1',
      'has no supervised token: every label after the first is -100',
    ],
    ['{"input_ids": [3]}', 'a.jsonl:1', 'has a single token'],
    ['{"input_ids": []}', 'a.jsonl:1', 'has no tokens'],
    ['{"text": "c"}', 'a.jsonl:1', 'has a single token', {appendEos: false}],
    ['{"text": "1"}', 'a.jsonl:1', 'has no tokens', {appendEos: false}],
    [
      '{"prompt": "cdefghij", "completion": "k"}',
      'a.jsonl:1',
      'all supervised tokens are cut off: they begin at token 9 and max_length is 6',
    ],
    ['{"input_ids": [1,2,3,4,5,6,7], "labels": [1,-100,-100,-100,-100,-100,7]}', 'a.jsonl:1', 'they begin at token 7'],
    [
      goodPair,
      'data.loss_on',
      'labelled does not fit rows of format prompt_completion; expected auto or completion or all',
      {lossOn: 'labelled'},
    ],
    [good, 'data.loss_on', 'completion does not fit rows of format text; expected auto or all', {lossOn: 'completion'}],
    ['{"input_ids": [3, 4]}', 'data.loss_on', 'expected auto or labelled or all', {lossOn: 'completion'}],
    ['', 'a.jsonl', 'is empty: there are no rows in it'],
    ['\n \n', 'a.jsonl', 'is empty: there are no rows in it'],
  ])('%j', async (content, where, fragment, changes = {}) => {
    const {error, listed} = await failure([await file('a.jsonl', content)], changes)
    expect(error).toBeInstanceOf(DataError)
    expect(error.exit).toBe(EXIT.invalid)
    expect(listed).toHaveLength(1)
    expect(listed[0].startsWith(`${where} `)).toBe(true)
    expect(listed[0]).toContain(fragment)
  })

  test.each([
    ['[]', 'a.json', 'is empty'],
    [' ', 'a.json', 'is empty'],
    ['{"text": "cd"}\n{"text": "cd"}', 'a.json:1', 'expected an array of rows: [{…}, {…}]'],
    [`[${good},\n ${good}`, 'a.json:2', 'the array is not closed'],
    [`[${good},\n ${good},]`, 'a.json:2', 'is not valid JSON: a comma without a row beside it'],
    [`[${good}\n,{"text": cd}]`, 'a.json:2', 'is not valid JSON: '],
    [`[${good}]\n[]`, 'a.json:2', 'there is something after the array'],
  ])('%j in a .json file', async (content, where, fragment) => {
    const {listed} = await failure([await file('a.json', content)])
    expect(listed).toHaveLength(1)
    expect(listed[0].startsWith(`${where} `)).toBe(true)
    expect(listed[0]).toContain(fragment)
  })

  test.each([
    ['', 'is empty'],
    ['c', 'a.txt:1 has a single token'],
  ])('%j in a .txt file', async (content, fragment) => {
    const {listed} = await failure([await file('a.txt', content)], {appendEos: false})
    expect(listed).toHaveLength(1)
    expect(listed[0]).toContain(fragment)
  })
})

describe('encoding', () => {
  const broken = Buffer.concat([
    Buffer.from(`${good}\n{"text": "`),
    Buffer.from([0x63, 0xe9]),
    Buffer.from(`"}\n${good}\n`),
  ])

  test('bytes that are not UTF-8 are a fault with their line, in every container', async () => {
    expect((await failure([await file('a.jsonl', broken)])).listed).toEqual([
      'a.jsonl:2 is not valid UTF-8 (at character 12)',
    ])
    expect((await failure([await file('a.txt', broken)])).listed).toEqual([
      'a.txt:2 is not valid UTF-8 (at character 12)',
    ])
    expect((await failure([await file('a.json', broken)])).listed).toEqual([
      'a.json:2 is not valid UTF-8 (at character 12)',
    ])
  })

  test('UTF-16 is called that, once', async () => {
    const {error, listed} = await failure([await file('a.jsonl', Buffer.from(`\uFEFF${good}\n${good}\n`, 'utf16le'))])
    expect(listed).toEqual(['a.jsonl:1 is UTF-16 text; expected UTF-8'])
    expect(error.hint).toContain('as UTF-8')
  })
})

describe('many faults', () => {
  test('all faults of all files are in one error', async () => {
    const files = [
      await file('a.jsonl', `${good}\n{"text": 7}\n{oops}\n`),
      await file('b.jsonl', `{"text": ""}\n${good}\n[]\n`),
      await file('c.bin', 'text\ncd\n'),
      await file('d.jsonl', ''),
    ]
    const {error, listed} = await failure(files)
    expect(error.message).toBe('The data cannot be used: 6 faults.')
    expect(listed.map((line) => line.split(' ')[0])).toEqual([
      'a.jsonl:2',
      'a.jsonl:3',
      'b.jsonl:1',
      'b.jsonl:3',
      'c.bin',
      'd.jsonl',
    ])
    expect(listed[4]).toContain('expected a name that ends in .jsonl, .json, .csv')
  })

  test('all problems of one row are told', async () => {
    const {listed} = await failure([await file('a.jsonl', '{"input_ids": [99], "labels": [1.5, 2]}')])
    expect(listed).toHaveLength(3)
  })

  test('after twenty the rest is counted', async () => {
    const {error, listed} = await failure([await file('a.jsonl', '{"text": 7}\n'.repeat(1000))])
    expect(listed).toHaveLength(21)
    expect(listed[20]).toBe('… and 980 more')
    expect(error.message).toContain('1000 faults')
  })

  test('a file of another format is one fault, whatever its length', async () => {
    const files = [await file('a.jsonl', `${good}\n`), await file('b.jsonl', `${goodPair}\n`.repeat(50))]
    const {listed} = await failure(files)
    expect(listed).toEqual([
      'b.jsonl:1 is prompt_completion, but the dataset is text (a.jsonl:1 has the key text): one dataset has one format',
    ])
  })

  test('plain text does not go with rows of another format', async () => {
    const files = [await file('a.jsonl', `${goodPair}\n`), await file('b.txt', 'cd')]
    expect((await failure(files)).listed[0]).toContain('b.txt is text, but the dataset is prompt_completion')
    const named = await failure([await file('b.txt', 'cd')], {format: 'tokens'})
    expect(named.listed[0]).toContain('b.txt is text, but the dataset is tokens (data.format is tokens)')
  })
})

describe('hints say what to type', () => {
  test('an ambiguous row: the format', async () => {
    const {error} = await failure([await file('a.jsonl', '{"text": "cd", "prompt": "cd", "completion": "ef"}')])
    expect(error.hint).toBe('data.format: prompt_completion')
  })

  test('of several faults the first that has a hint gives it', async () => {
    const rows =
      '{"text": 7}\n{"text": "cd", "prompt": "cd", "completion": "c"}\n{"text": "ef", "input_ids": [1]}\n{"text": 8}\n'
    expect((await failure([await file('a.jsonl', rows)])).error.hint).toBe('data.format: prompt_completion')
    const swapped = rows.split('\n').reverse().join('\n')
    expect((await failure([await file('a.jsonl', swapped)])).error.hint).toBe('data.format: text')
  })

  test('a completion beyond max_length: a length that holds it', async () => {
    const {error} = await failure([await file('a.jsonl', '{"prompt": "cdefghij", "completion": "k"}')])
    expect(error.hint).toBe('data.max_length: 10, or data.overflow: truncate_left')
  })

  test('no end-of-sequence token: data.append_eos: false, which then works', async () => {
    const endless = {...letters, eosId: null}
    const path = await file('a.jsonl', good)
    const {error, listed} = await failure([path], {}, endless)
    expect(listed).toEqual([
      'data.append_eos the tokenizer has no end-of-sequence token (eos_token in tokenizer_config.json)',
    ])
    expect(error.hint).toBe('data.append_eos: false')
    expect((await readDataset([path], endless, {...settings, appendEos: false})).examples).toHaveLength(1)
    const ids = await file('ids.jsonl', '{"input_ids": [3, 4]}')
    expect((await readDataset([ids], endless, settings)).examples).toHaveLength(1)
  })

  test('no tokenizer: where to put one', async () => {
    const {error, listed} = await failure([await file('a.jsonl', good)], {}, null)
    expect(listed).toEqual(['tokenizer is missing; rows of format text need one'])
    expect(error.hint).toContain('tokenizer.json')
  })

  test('settings that are out of range', async () => {
    const {error} = await failure([await file('a.jsonl', good)], {maxLength: 1})
    expect(error.message).toBe('data.max_length: expected a whole number of at least 2, got 1.')
    expect((await failure([])).error.message).toBe('No data files were given.')
  })
})

describe('files that cannot be read', () => {
  test('all missing files are named at once, with the exit code of files', async () => {
    await mkdir(join(directory, 'folder.jsonl'))
    const files = ['x.jsonl', 'y.txt', 'folder.jsonl'].map((name) => join(directory, name))
    const {error, listed} = await failure([await file('a.jsonl', good), ...files])
    expect(error).toBeInstanceOf(FileError)
    expect(error.exit).toBe(EXIT.file)
    expect(listed.slice(0, 2)).toEqual(['x.jsonl no such file', 'y.txt no such file'])
    expect(listed[2]).toContain('folder.jsonl is a directory without data files')
    expect(error.hint).toContain('check the paths')
  })
})
