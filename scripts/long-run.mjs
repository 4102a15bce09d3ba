// 20,000 steps of a tiny model with everything switched on that goes with a run (metrics, checkpoints, evaluations), and
// how memory (of the GPU too), open files, the time of a step and that of handing over a line of metrics are at the
// beginning and at the end. They have to stay flat. Where test files are not, as in what scripts/pack-for-gpu.mjs packs:
// --model models/tiny-mamba. After a build: node scripts/long-run.mjs [steps] [--device cpu|gpu] [--model DIRECTORY]
import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'
import {parseArgs} from 'node:util'
import {fileURLToPath} from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import {AppendLog} from '../dist/checkpoint/append-log.js'
import {parseRecipe, runRecipe} from '../dist/index.js'
import {gpuBackend} from '../dist/backend/gpu/current.js'

const TINIEST = fileURLToPath(new URL('../test/fixtures/golden/mamba1', import.meta.url))

const MEBIBYTE = 2 ** 20

/** Growth of the heap, collected, over the second half that is still flat: compiled code and the like. */
const SLACK = 2 * MEBIBYTE

/** Share by which the lowest resident memory of the second half may be above that of the first: a driver keeps more or less. */
const RESIDENT_SLACK = 0.03

/** Microseconds for a line of metrics: more would slow a step. */
const SLOW_LINE = 200

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const {
  positionals: [steps = '20000'],
  values: {device, model},
} = parseArgs({
  allowPositionals: true,
  options: {device: {default: 'cpu', type: 'string'}, model: {default: TINIEST, type: 'string'}},
})
const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-long-'))
const rows = path.join(directory, 'rows.jsonl')
const tokens = Array.from({length: 12}, (_, row) =>
  Array.from({length: 5 + row}, (_, i) => 2 + ((7 * row + 11 * i) % 90)),
)
await writeFile(rows, tokens.map((ids) => `${JSON.stringify({input_ids: ids})}\n`).join(''))
const recipe = parseRecipe(
  JSON.stringify({
    version: 1,
    output_dir: path.join(directory, 'run'),
    model: {base: model},
    adapters: [{method: 'lora', targets: ['in_proj', 'x_proj'], rank: 2, dropout: 0.1}],
    data: {train: rows, validation: rows, format: 'tokens'},
    train: {max_steps: Number(steps), epochs: 1e6, batch_size: 2},
    eval: {every: 1000},
  }),
  'long run',
)

/** Milliseconds that the loop spent in handing lines to metrics.jsonl since the last sample, and their number. */
const writing = {lines: 0, ms: 0}
const {append} = AppendLog.prototype
AppendLog.prototype.append = function (line) {
  const began = performance.now()
  append.call(this, line)
  writing.ms += performance.now() - began
  writing.lines += 1
}

const samples = []
const every = Math.ceil(Number(steps) / 10)
let since = performance.now()

async function sample(step) {
  // At once: while this waits, the next step begins.
  const {numBytes, numTensors} = tf.memory()
  const gpu = gpuBackend()?.gpuMemory().live ?? 0
  const files = await readdir('/proc/self/fd').catch(() => [])
  const ms = (performance.now() - since) / every
  since = performance.now()
  collect()
  const {arrayBuffers, heapUsed, rss} = process.memoryUsage()
  const line = (1000 * writing.ms) / writing.lines
  Object.assign(writing, {lines: 0, ms: 0})
  samples.push({step, line, rss, heap: heapUsed + arrayBuffers, files: files.length, numTensors, numBytes, gpu, ms})
  const [resident, heap] = [rss, samples.at(-1).heap].map((bytes) => (bytes / MEBIBYTE).toFixed(1))
  console.log(
    `step ${step}: ${heap} MiB of heap, ${resident} MiB resident, ${files.length} open files, ${numTensors} tensors, ${gpu} bytes of the GPU, ${ms.toFixed(2)} ms a step, ${line.toFixed(1)} µs a line of metrics`,
  )
}

const pending = []
await runRecipe({
  device,
  recipe,
  report(event) {
    if (event.event === 'step' && event.step % every === 0) pending.push(sample(event.step))
  },
})
await Promise.all(pending)
await rm(directory, {force: true, recursive: true})
const [middle, last] = [samples[Math.floor(samples.length / 2)], samples.at(-1)]
const lowest = (some) => Math.min(...some.map(({rss}) => rss))
const half = Math.floor(samples.length / 2)
const isFlat =
  last.heap - middle.heap < SLACK &&
  lowest(samples.slice(half)) < (1 + RESIDENT_SLACK) * lowest(samples.slice(1, half)) &&
  last.files <= middle.files &&
  last.numTensors === middle.numTensors &&
  last.gpu === middle.gpu &&
  last.line < SLOW_LINE
console.log(isFlat ? 'flat' : 'NOT FLAT')
process.exitCode = isFlat ? 0 : 1
