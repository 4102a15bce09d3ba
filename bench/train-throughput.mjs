// Training throughput on models/tiny-mamba: B 8 × L 128 random tokens, LoRA r 16 on all projections, device cpu.
// Prints tokens per second (median step) and peak memory. Usage: npm run bench [-- STEPS]
import os from 'node:os'
import process from 'node:process'
import {startDevice} from '../dist/backend/devices.js'
import {openModelDirectory} from '../dist/checkpoint/model-directory.js'
import {RandomStream} from '../dist/data/random.js'
import {collate} from '../dist/data/batches.js'
import {loadModel} from '../dist/model/load-model.js'
import {AdapterSet} from '../dist/peft/adapter-set.js'
import {lossAndGradients} from '../dist/train/batch-loss.js'
import {createOptimizer} from '../dist/train/create-optimizer.js'

const ROWS = 8
const LENGTH = 128
const WARM_UP = 3
const steps = Number(process.argv[2] ?? 10)

const device = await startDevice('cpu')
const model = await loadModel(await openModelDirectory('models/tiny-mamba'))
const targets = ['in_proj', 'x_proj', 'dt_proj', 'out_proj']
const lora = {alpha: 32, dropout: 0, method: 'lora', rank: 16, rslora: false, targets}
const adapters = AdapterSet.create([lora], model.config, 0)
const optimizer = createOptimizer(adapters, {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0})

const random = new RandomStream(0, 'bench')
const rows = Array.from({length: ROWS}, () => {
  const ids = Int32Array.from({length: LENGTH}, () => Math.floor(random.uniform() * model.config.vocabulary))
  return {ids, labels: ids, where: 'bench'}
})
const batch = collate(rows)

const times = []
const processor = []
for (let step = 0; step < WARM_UP + steps; step++) {
  const began = performance.now()
  const used = process.cpuUsage()
  const {dispose, gradients, loss} = lossAndGradients({adapters, model}, batch)
  await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
  await Promise.all([optimizer.step(1e-3), loss.data()])
  dispose()
  if (step < WARM_UP) continue
  times.push(performance.now() - began)
  const {system, user} = process.cpuUsage(used)
  processor.push((system + user) / 1000)
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
const perSecond = (milliseconds) => Math.round((1000 * ROWS * LENGTH) / milliseconds)
console.log(`device            ${device.description}; ${os.cpus()[0].model}; Node ${process.version}`)
console.log(
  `tokens per second ${perSecond(median(times))} (median of ${steps} steps, fastest ${perSecond(times[0])}, slowest ${perSecond(times.at(-1))})`,
)
console.log(`per step          ${median(times).toFixed(0)} ms, ${median(processor).toFixed(0)} ms of processor time`)
console.log(`peak memory       ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`)
adapters.dispose()
model.weights.dispose()
