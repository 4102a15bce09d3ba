// Writes a file of so many megabytes, reads it as data and visits every row in shuffled order. Prints the most memory that the process has
// had resident meanwhile, in megabytes. Usage, after a build: node read-large.mjs DIRECTORY MEGABYTES
import {closeSync, openSync, writeSync} from 'node:fs'
import path from 'node:path'
import {epochOrder} from '../../dist/data/batches.js'
import {readDataset} from '../../dist/data/rows.js'

const [directory, megabytes] = process.argv.slice(2)
const file = path.join(directory, `large-${megabytes}.jsonl`)
const handle = openSync(file, 'w')
for (let written = 0; written < Number(megabytes) * 1e6;) {
  const rows = Array.from({length: 100}, (_, row) => `{"text": "${`row ${row} `.repeat(250)}"}\n`).join('')
  written += writeSync(handle, rows)
}
closeSync(handle)

const tokenizer = {
  decode: (ids) => String.fromCharCode(...ids),
  encode: (text) => [...Buffer.from(text)],
  eosId: 0,
  vocabularySize: 256,
}
const settings = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 2048}
const store = {directory: path.join(directory, 'cache'), inMemory: 1e6}
const {examples} = await readDataset([file], tokenizer, settings, {store})
let tokens = 0
for (const index of epochOrder(examples.length, {epoch: 0, seed: 1, shuffle: true})) {
  tokens += examples[index].ids.length
}
if (tokens < Number(megabytes) * 8e5) throw new Error(`only ${tokens} tokens`)
process.stdout.write(String(process.resourceUsage().maxRSS / 1024))
