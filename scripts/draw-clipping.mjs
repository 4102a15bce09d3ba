// Draws docs/clipping.svg: losses of runs with far too high a learning rate, without and with clipping. The runs are those
// of test/train/clipping.test.ts. After a build: node scripts/draw-clipping.mjs [device]
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import * as Plot from '@observablehq/plot'
import {parseHTML} from 'linkedom'
import {NumericError, parseRecipe, runRecipe} from '../dist/index.js'

const STEPS = 40

const [device = 'gpu'] = process.argv.slice(2)
const rate = device === 'gpu' ? 1 : 10
const here = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))
const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-clipping-'))
const rows = path.join(directory, 'rows.jsonl')
const tokens = Array.from({length: 12}, (_, row) =>
  Array.from({length: 30 + row}, (__, i) => 2 + ((7 * row + 11 * i) % 90)),
)
await writeFile(rows, tokens.map((ids) => `${JSON.stringify({input_ids: ids, labels: ids})}\n`).join(''))

async function lossesOf(clip) {
  const name = clip === null ? 'not clipped' : `clip_norm ${clip.toFixed(1)}`
  const points = []
  const recipe = parseRecipe(
    JSON.stringify({
      version: 1,
      output_dir: path.join(directory, name),
      model: {base: here('test/fixtures/golden/mamba1')},
      adapters: [{method: 'lora', targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj'], rank: 8, alpha: 128}],
      data: {train: rows, format: 'tokens'},
      train: {
        max_steps: STEPS,
        epochs: 1000,
        batch_size: 4,
        clip_norm: clip,
        optimizer: {epsilon: 1, learning_rate: rate},
        schedule: {name: 'constant', warmup: 0},
      },
    }),
    'clipping',
  )
  const report = (event) => event.event === 'step' && points.push({loss: event.loss, run: name, step: event.step})
  try {
    await runRecipe({device, recipe, report})
    console.log(`${name}: loss ${points.at(-1).loss.toFixed(3)} after ${points.length} steps`)
    return {end: null, points}
  } catch (error) {
    if (!(error instanceof NumericError)) throw error
    console.log(`${name}: ${error.message}`)
    return {end: {...points.at(-1), text: `not finite at step ${points.length + 1}`}, points}
  }
}

const runs = []
for (const clip of [null, 1, 0.5]) runs.push(await lossesOf(clip))
await rm(directory, {force: true, recursive: true})
const ends = runs.flatMap(({end}) => (end ? [end] : []))
const svg = Plot.plot({
  color: {domain: ['not clipped', 'clip_norm 1.0', 'clip_norm 0.5'], range: ['#d62728', '#1f77b4', '#2ca02c']},
  document: parseHTML('<!doctype html><html><body></body></html>').document,
  height: 300,
  marginRight: 100,
  marks: [
    Plot.line(
      runs.flatMap(({points}) => points),
      {stroke: 'run', strokeWidth: 1.5, x: 'step', y: 'loss'},
    ),
    Plot.dot(ends, {fill: 'run', symbol: 'times', stroke: 'run', x: 'step', y: 'loss'}),
    Plot.text(ends, {dx: 8, fill: 'run', text: 'text', textAnchor: 'start', x: 'step', y: 'loss'}),
    Plot.text(
      runs.flatMap(({end, points}) => (end ? [] : points.slice(-1))),
      {dx: 6, fill: 'run', text: 'run', textAnchor: 'start', x: 'step', y: 'loss'},
    ),
  ],
  style: {background: 'white', fontSize: '12px'},
  width: 720,
  x: {domain: [1, STEPS], label: 'step'},
  y: {grid: true, label: 'training loss'},
})
svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
await writeFile(here('docs/clipping.svg'), `${svg.outerHTML}\n`)
