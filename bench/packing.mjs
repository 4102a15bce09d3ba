// Packed against padded rows: data/definitions with models/tiny-mamba, LoRA r 16 on all projections, device cpu.
// Steps of either kind take turns. Prints tokens (padding not counted) per second, of wall and of processor time.
// Usage: node bench/packing.mjs [STEPS]
import process from 'node:process'
import {startDevice} from '../dist/backend/devices.js'
import {openModelDirectory} from '../dist/checkpoint/model-directory.js'
import {readDataset} from '../dist/data/rows.js'
import {loadTokenizer} from '../dist/data/tokenizer.js'
import {loadModel} from '../dist/model/load-model.js'
import {AdapterSet} from '../dist/peft/adapter-set.js'
import {lossAndGradients} from '../dist/train/batch-loss.js'
import {createOptimizer} from '../dist/train/create-optimizer.js'
import {stepRows} from '../dist/train/step-rows.js'

const WARM_UP = 2
const steps = Number(process.argv[2] ?? 10)
const MODEL = 'models/tiny-mamba'

const device = await startDevice('cpu')
const data = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 128}
const {examples} = await readDataset(['data/definitions.train.jsonl'], await loadTokenizer(MODEL), data)
const model = await loadModel(await openModelDirectory(MODEL))
const targets = ['in_proj', 'x_proj', 'dt_proj', 'out_proj']
const lora = {alpha: 32, dropout: 0, method: 'lora', rank: 16, rslora: false, targets}
const adapters = AdapterSet.create([lora], model.config, 0)
const optimizer = createOptimizer(adapters, {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0})

const run = {epochs: 1, gradientAccumulation: 1, maxSteps: null, seed: 42, shuffle: true}
const KINDS = {
  'padded, 16 rows a step': stepRows(examples, {...run, batchSize: 16}),
  'packed, 4 rows of 128': stepRows(examples, {...run, batchSize: 4, layout: {kind: 'packed', length: 128}}),
  'packed, 1 row of 512': stepRows(examples, {...run, batchSize: 1, layout: {kind: 'packed', length: 512}}),
}

const measured = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, {places: 0, tokens: 0, used: 0, wall: 0}]))
for (let step = 0; step < WARM_UP + steps; step++) {
  for (const [kind, rows] of Object.entries(KINDS)) {
    const {batches, supervisedTokens, tokens} = rows.work(step)
    const [began, before] = [performance.now(), process.cpuUsage()]
    const {dispose, gradients, loss} = lossAndGradients({adapters, model}, batches[0])
    await optimizer.accumulate(gradients, 1 / supervisedTokens)
    await Promise.all([optimizer.step(1e-3), loss.data()])
    dispose()
    if (step < WARM_UP) continue
    const {system, user} = process.cpuUsage(before)
    const sums = measured[kind]
    sums.places += batches[0].rows * batches[0].length
    sums.tokens += tokens
    sums.used += (system + user) / 1e6
    sums.wall += (performance.now() - began) / 1000
  }
}

console.log(`device ${device.description}, ${steps} steps of each`)
for (const [kind, {places, tokens, used, wall}] of Object.entries(measured)) {
  const filled = ((100 * tokens) / places).toFixed(1)
  const speed = `${Math.round(tokens / wall)} tokens/s, ${Math.round(tokens / used)} a second of processor time`
  console.log(`${kind.padEnd(24)} ${filled} % filled, ${speed}`)
}
adapters.dispose()
model.weights.dispose()
