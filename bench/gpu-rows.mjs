// Causal convolution and RMS norm on the GPU, forward and backward: milliseconds of a call and bytes per second, by
// timestamps where the device has them. Both should be bound by memory alone: compare with the copy in the first line.
// Usage: node bench/gpu-rows.mjs [--only TEXT] [--runs 20] [--small] [--f32]
import process from 'node:process'
import {parseArgs} from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import {startGpu} from '../dist/backend/gpu/gpu-device.js'
import {convOnGpu} from '../dist/ops/causal-conv/causal-conv.gpu.js'
import {addNormOnGpu, normOnGpu} from '../dist/ops/rms-norm/rms-norm.gpu.js'

const {values: flags} = parseArgs({
  options: {
    f32: {type: 'boolean'},
    only: {default: '', type: 'string'},
    runs: {default: '20', type: 'string'},
    small: {type: 'boolean'},
  },
})
const RUNS = Number(flags.runs)
const WIDTH = 4
const SIZES = flags.small
  ? [{batch: 2, channels: 64, hidden: 32, length: 40}]
  : [
      {batch: 32, channels: 1536, hidden: 768, length: 512},
      {batch: 8, channels: 1536, hidden: 768, length: 512},
      {batch: 4, channels: 5120, hidden: 2560, length: 512},
    ]

const precision = flags.f32 ? 'f32' : 'f16'
const gpu = await startGpu({checked: flags.small ?? false, precision})
if (!gpu) {
  console.log('no GPU')
  process.exit(1)
}
const host = gpu.backend
console.log(gpu.name, JSON.stringify(gpu.description.facts))

let seed = 0
const random = (shape, format = precision) =>
  tf.engine().makeTensorFromTensorInfo(host.randomUniform(shape, format, 1, (seed += 1)))

/** Milliseconds of a call: on the GPU by timestamps, and of the wall clock when calls follow one another. */
async function time(call) {
  for (let warm = 0; warm < 3; warm++) tf.tidy(call)
  await host.finish()
  const began = performance.now()
  for (let run = 0; run < RUNS; run++) tf.tidy(call)
  await host.finish()
  const wall = (performance.now() - began) / RUNS
  if (!gpu.description.features.includes('timestamp-query')) return {gpuTime: wall, wall}
  const times = await host.profile(async () => {
    for (let run = 0; run < RUNS; run++) tf.tidy(call)
  })
  return {gpuTime: times.reduce((sum, {ms}) => sum + ms, 0) / RUNS, wall}
}

async function report(name, bytes, call) {
  if (!name.includes(flags.only)) return
  const {gpuTime, wall} = await time(call)
  const rate = (bytes / gpuTime / 1e6).toFixed(0)
  console.log(`${name.padEnd(58)} ${gpuTime.toFixed(4)} ms  wall ${wall.toFixed(4)} ms ${rate.padStart(6)} GB/s`)
}

/** Makes tensors of what a kernel's value left, so that the scope of the call frees them. */
function own({outputs, saved = []}) {
  for (const info of [...outputs, ...saved]) tf.engine().makeTensorFromTensorInfo(info)
}

const half = flags.f32 ? 4 : 2
for (const {batch, channels, hidden, length} of SIZES) {
  const rows = batch * length
  tf.engine().startScope()

  // x is half of the columns of in_proj's output, as in the model.
  const x = tf.engine().makeTensorFromTensorInfo(host.columns(random([batch, length, 2 * channels]), 0, channels))
  const conv = {bias: random([channels], 'f32'), weight: random([channels, 1, WIDTH], 'f32'), x}
  const dY = random([batch, length, channels])
  const window = random([batch, WIDTH - 1, channels], 'f32')
  const label = `(${batch}, ${length}, ${channels})`
  const size = rows * channels * half
  await report(`convolution ${label}, forward`, 2 * size, () =>
    own(convOnGpu.value(conv, {recording: false, settings: {}}, host)),
  )
  await report(`convolution ${label}, backward`, 3 * size, () => {
    convOnGpu.gradient([dY, null], conv, {}, host, [])
  })
  await report(`convolution ${label}, backward with window and last`, 3 * size, () => {
    convOnGpu.gradient([dY, window], {...conv, window}, {}, host, [])
  })
  await report(`convolution ${label}, backward and weight`, 5 * size, () => {
    convOnGpu.gradient([dY, null], conv, {}, host, []).weight()
  })

  const norm = {hidden: random([rows, hidden], 'f32'), update: random([rows, hidden]), weight: random([hidden], 'f32')}
  const [dSum, dNormed] = [random([rows, hidden], 'f32'), random([rows, hidden])]
  const settings = {epsilon: 1e-5}
  const count = rows * hidden
  const stream = `(${batch}, ${length}, ${hidden})`
  await report(`norm ${stream}, forward`, count * (4 + half), () =>
    own(normOnGpu.value({weight: norm.weight, x: norm.hidden}, {recording: false, settings}, host)),
  )
  await report(`addition and norm ${stream}, forward`, count * (8 + 2 * half), () =>
    own(addNormOnGpu.value(norm, {recording: false, settings}, host)),
  )
  // dHidden in f32, and in f16 once more for the update
  const written = flags.f32 ? 4 : 6
  await report(`addition and norm ${stream}, backward`, count * (8 + half + written), () => {
    addNormOnGpu.gradient([dSum, dNormed], norm, settings, host, [norm.hidden], {update: precision})
  })
  await report(`addition and norm ${stream}, backward, sum unused`, count * (4 + half + written), () => {
    addNormOnGpu.gradient([null, dNormed], norm, settings, host, [norm.hidden], {update: precision})
  })
  tf.engine().endScope()
}
gpu.close()
