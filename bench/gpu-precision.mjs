// How far f16 storage takes the adapters' gradients from f32: models/tiny-mamba with LoRA on every projection and a first
// state, values away from their start, one batch of definitions. Prints |g16 − g32| / |g32| of each kind of tensor and of
// all together, and fails above 1 %. Usage: node bench/gpu-precision.mjs [ROWS]
import process from 'node:process'
import {startDevice} from '../dist/backend/devices.js'
import {openModelDirectory} from '../dist/checkpoint/model-directory.js'
import {collate} from '../dist/data/batches.js'
import {RandomStream} from '../dist/data/random.js'
import {readDataset} from '../dist/data/rows.js'
import {loadTokenizer} from '../dist/data/tokenizer.js'
import {loadModel} from '../dist/model/load-model.js'
import {setValues} from '../dist/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../dist/peft/adapter-set.js'
import {lossAndGradients} from '../dist/train/batch-loss.js'

const ROWS = Number(process.argv[2] ?? 16)
const LIMIT = 0.01
const MODEL = 'models/tiny-mamba'
const SETTINGS = [
  {
    alpha: 32,
    dropout: 0,
    method: 'lora',
    rank: 16,
    rslora: false,
    targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj'],
  },
  {conv: true, method: 'initial-state', scan: true},
]

const data = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 128}
const {examples} = await readDataset(['data/definitions.validation.jsonl'], await loadTokenizer(MODEL), data)
const batch = collate(examples.slice(0, ROWS))

/** Loss and gradients by name at this precision. */
async function gradientsAt(precision) {
  const device = await startDevice('gpu', {precision})
  const model = await loadModel(await openModelDirectory(MODEL))
  const adapters = AdapterSet.create(SETTINGS, model.config, 0)
  for (const [name, variable] of adapters.variables) {
    const random = new RandomStream(0, 'precision', name)
    const values = await variable.data()
    setValues(
      variable,
      values.map((value) => value + 0.02 * random.normal()),
    )
  }
  const result = lossAndGradients({adapters, model}, batch)
  const loss = (await result.loss.data())[0] / batch.supervisedTokens
  const gradients = new Map()
  for (const [name, gradient] of result.gradients) gradients.set(name, await gradient.data())
  result.dispose()
  adapters.dispose()
  model.weights.dispose()
  device.close()
  return {device: device.description, gradients, loss}
}

const exact = await gradientsAt('f32')
const half = await gradientsAt('f16')
const sums = new Map()
for (const [name, wanted] of exact.gradients) {
  const found = half.gradients.get(name)
  const kind = name.replace(/^adapters\.\d+\.layers\.\d+\.mixer\./, '')
  for (const key of [kind, 'all adapter tensors']) {
    const sum = sums.get(key) ?? {difference: 0, norm: 0}
    for (let i = 0; i < wanted.length; i++) {
      sum.difference += (found[i] - wanted[i]) ** 2
      sum.norm += wanted[i] ** 2
    }
    sums.set(key, sum)
  }
}
console.log(`${exact.device} against ${half.device}, ${batch.rows} rows of ${batch.length} tokens`)
console.log(`loss  ${exact.loss.toFixed(6)} in f32, ${half.loss.toFixed(6)} in f16`)
for (const [key, {difference, norm}] of sums) {
  console.log(`${(100 * Math.sqrt(difference / norm)).toFixed(4).padStart(9)} %  ${key}`)
}
const {difference, norm} = sums.get('all adapter tensors')
if (!(Math.sqrt(difference / norm) <= LIMIT)) {
  console.log(`above ${100 * LIMIT} %`)
  process.exitCode = 1
}
