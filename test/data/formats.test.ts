/** Every format, in the containers that it comes in: what is read, why, and which of it is trained. */
import {beforeAll, describe, expect, test} from '@jest/globals'
import {basename, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {type DataSettings, type Dataset} from '../../src/data/dataset.js'
import {readDataset} from '../../src/data/rows.js'
import {loadTokenizer, type Tokenizer} from '../../src/data/tokenizer.js'
import {marked} from './marked.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const EOS = '<|endoftext|>'
const settings: DataSettings = {format: 'auto', lossOn: 'auto', maxLength: 512, appendEos: true}
let tokenizer: Tokenizer

beforeAll(async () => {
  tokenizer = await loadTokenizer(join(root, 'models/tiny-mamba'))
})

function fixture(name: string): string {
  return join(root, 'test/fixtures/data', name)
}

function read(name: string, changes: Partial<DataSettings> = {}): Promise<Dataset> {
  return readDataset([fixture(name)], tokenizer, {...settings, ...changes})
}

async function masks(name: string, changes: Partial<DataSettings> = {}): Promise<string[]> {
  return (await read(name, changes)).examples.map((example) => marked(example, tokenizer))
}

describe('chat', () => {
  test('every turn of the assistant is trained, with the end after it; a message may say otherwise', async () => {
    expect(await masks('chat.jsonl')).toEqual([
      `Answer in one word.\n\nUser: What colour is grass?\n\nAssistant:⟦ Green.${EOS}⟧\n\nUser: And snow?\n\nAssistant:⟦ White.${EOS}⟧`,
      `User: How many legs has a spider?\n\nAssistant: Eight.${EOS}\n\nUser: And an ant?\n\nAssistant:⟦ Six.${EOS}⟧`,
    ])
  })

  test('last, all, roles', async () => {
    expect((await masks('chat.jsonl', {lossOn: 'last'}))[0]).toMatch(/^[^⟦]*Assistant:⟦ White\.<\|endoftext\|>⟧$/)
    expect((await masks('chat.jsonl', {lossOn: 'all'}))[0]).toMatch(/^⟦[^⟧]*⟧$/)
    expect((await masks('chat.jsonl', {lossOn: ['user']}))[0]).toBe(
      `Answer in one word.⟦\n\nUser: What colour is grass?⟧\n\nAssistant: Green.${EOS}⟦\n\nUser: And snow?⟧\n\nAssistant: White.${EOS}`,
    )
  })

  test('chatml, without training the end', async () => {
    const [, second] = await masks('chat.jsonl', {template: 'chatml', trainOnEos: false})
    expect(second).toBe(
      `<|im_start|>user\nHow many legs has a spider?<|im_end|>\n<|im_start|>assistant\nEight.<|im_end|>${EOS}\n` +
        `<|im_start|>user\nAnd an ant?<|im_end|>\n<|im_start|>assistant\n⟦Six.<|im_end|>⟧${EOS}`,
    )
  })

  test('in Parquet, of several row groups, with places that are rows', async () => {
    const dataset = await read('chat.parquet')
    expect(dataset.examples.map(({where}) => basename(where))).toEqual([1, 2, 3].map((row) => `chat.parquet:${row}`))
    expect(marked(dataset.examples[2], tokenizer)).toBe(`User: Which is loud?\n\nAssistant:⟦ The gull.${EOS}⟧`)
    expect(dataset.notes.join('\n')).toContain('chat.parquet is read as parquet: it begins with PAR1.')
  })

  test('the template that is used is named, and why', async () => {
    const {notes} = await read('chat.jsonl')
    expect(notes).toContain(
      'Turns are written by template plain: the tokenizer has no template of its own, and data.template names none.',
    )
  })
})

test('ShareGPT, with the system text beside it', async () => {
  expect(await masks('sharegpt.json')).toEqual([
    `User: Which planet is red?\n\nAssistant:⟦ Mars.${EOS}⟧`,
    `Be brief.\n\nUser: Which is largest?\n\nAssistant:⟦ Jupiter.${EOS}⟧`,
  ])
})

test("Alpaca in CSV, in the text of its authors, with line ends in a field and the row's first line as its place", async () => {
  const {examples} = await read('alpaca.csv')
  const texts = examples.map((example) => marked(example, tokenizer))
  expect(texts[0]).toBe(
    'Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.' +
      `\n\n### Instruction:\nName the opposite.\n\n### Input:\nwarm\n\n### Response:\n⟦cold${EOS}⟧`,
  )
  expect(texts[1]).toContain(`⟦so, so${EOS}⟧`)
  expect(texts[2]).toBe(
    'Below is an instruction that describes a task. Write a response that appropriately completes the request.' +
      `\n\n### Instruction:\nWrite two lines.\n\n### Response:\n⟦one\ntwo${EOS}⟧`,
  )
  expect(examples.map(({where}) => basename(where))).toEqual(['alpaca.csv:2', 'alpaca.csv:3', 'alpaca.csv:4'])
})

test('columns of other names, in TSV with quotation marks that are just that', async () => {
  const columns = {prompt: 'question', completion: 'answer'}
  expect((await masks('pairs.tsv', {columns}))[0]).toBe(`Define the noun "oak".⟦A large tree.${EOS}⟧`)
  await expect(read('pairs.tsv')).rejects.toMatchObject({hint: 'data.columns: {prompt: question, completion: answer}'})
})

test('prompt and completion are joined as they are, unless a template is named', async () => {
  const columns = {prompt: 'question', completion: 'answer'}
  expect((await masks('pairs.tsv', {columns, template: 'plain'}))[0]).toBe(
    `User: Define the noun "oak".\n\nAssistant:⟦ A large tree.${EOS}⟧`,
  )
})

test('segments are put together as they stand', async () => {
  expect((await masks('segments.jsonl'))[0]).toBe(`Q: 2 + 2 = ? A:⟦ 4⟧ Q: 3 + 3 = ? A:⟦ 6${EOS}⟧`)
})

test('token ids with labels, from Parquet as from JSON', async () => {
  const [json, parquet] = await Promise.all([read('tokens.jsonl'), read('tokens.parquet')])
  expect([...parquet.examples[0].labels]).toEqual([...json.examples[0].labels])
  expect([...parquet.examples[0].ids]).toEqual([12, 40, 7, 99])
})

test('text in gzip, whatever it is called', async () => {
  const dataset = await read('text.jsonl.gz')
  expect(dataset.format).toBe('text')
  expect(dataset.files[0]).toMatchObject({compression: 'gzip', container: 'jsonl', why: 'its name ends in .jsonl.gz'})
})

test('a directory stands for its data files, and for those of a part where names tell', async () => {
  const all = await readDataset([join(root, 'data')], tokenizer, {...settings, format: 'text'}).catch(
    (error: unknown) => String(error),
  )
  expect(all).toContain('The data cannot be used') // texts beside pairs: one dataset has one format
  const {filesForRole} = await import('../../src/data/find-files.js')
  const names = ['a/train-0.parquet', 'a/test.csv', 'b/valid.jsonl', 'README.md', '.git/x.json', 'more.txt.gz']
  expect(filesForRole(names, 'train')).toEqual(['a/train-0.parquet'])
  expect(filesForRole(names, 'validation')).toEqual(['b/valid.jsonl'])
  expect(filesForRole(names, null)).toEqual(['a/test.csv', 'a/train-0.parquet', 'b/valid.jsonl', 'more.txt.gz'])
  expect(filesForRole(['dev.txt', 'more.txt'], 'train')).toEqual(['more.txt'])
})
