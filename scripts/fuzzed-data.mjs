// The readers of rows, tokenizers and templates among those of scripts/fuzzed-readers.mjs.
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {readDataset} from '../dist/data/rows.js'
import {loadTokenizer} from '../dist/data/tokenizer.js'

const fixture = (...parts) =>
  fileURLToPath(new URL(path.posix.join('..', 'test', 'fixtures', ...parts), import.meta.url))

const ROWS = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 1024}

let tokenizer

/** The same for all: what is changed is not the tokenizer. */
const goodTokenizer = () => (tokenizer ??= loadTokenizer(fixture('fuzz')))

/** `share` is the reader's part of all cases. */
const rows = (name, {format = 'auto', from = fixture('data', name), share = 5, ...settings} = {}) => ({
  file: name,
  files: {[name]: from},
  name: `rows (${name})`,
  read: async (directory) =>
    readDataset([path.join(directory, name)], await goodTokenizer(), {...ROWS, format, ...settings}),
  share,
})

/** A file of the tokenizer, which then reads a text and its own special tokens. */
const tokenizerFile = (file, share) => ({
  file,
  files: {
    'tokenizer.json': fixture('fuzz', 'tokenizer.json'),
    'tokenizer_config.json': fixture('fuzz', 'tokenizer_config.json'),
  },
  name: file,
  async read(directory) {
    const {decode, encode} = await loadTokenizer(directory)
    decode(encode('The quick brown fox, in 1999 <|endoftext|>.'))
  },
  share,
})

export const DATA_READERS = [
  tokenizerFile('tokenizer.json', 4),
  tokenizerFile('tokenizer_config.json', 2),
  rows('rows.jsonl', {format: 'tokens', from: fixture('fuzz', 'rows.jsonl'), share: 8}),
  rows('rows.json', {from: fixture('fuzz', 'rows.json'), share: 8}),
  rows('chat.jsonl'),
  rows('sharegpt.json'),
  rows('segments.jsonl'),
  rows('alpaca.csv', {share: 4}),
  rows('pairs.tsv', {columns: {completion: 'answer', prompt: 'question'}, share: 4}),
  rows('chat.parquet', {share: 3}),
  rows('tokens.parquet', {share: 4}),
  rows('text.jsonl.gz'),
  rows('plain.txt'),
  {
    file: 'chat.jinja',
    files: {'chat.jinja': fixture('fuzz', 'chat.jinja'), 'chat.jsonl': fixture('data', 'chat.jsonl')},
    name: 'template',
    read: async (directory) =>
      readDataset([path.join(directory, 'chat.jsonl')], await goodTokenizer(), {
        ...ROWS,
        template: path.join(directory, 'chat.jinja'),
      }),
    share: 4,
  },
]
