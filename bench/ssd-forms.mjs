// The two forms of the SSD scan, step after step and in chunked matrix form, over the length: milliseconds of one call,
// forward, and of forward and backward together where a form has a gradient. Median of several runs.
// On cpu: our kernel, and the chunked meaning in TensorFlow.js operations. On gpu: the shaders of either form.
// Usage: node bench/ssd-forms.mjs [--device cpu|gpu] [--longest 16384] [--json FILE]
import {writeFileSync} from 'node:fs'
import process from 'node:process'
import {parseArgs} from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import {startDevice} from '../dist/backend/devices.js'
import {MemoryError} from '../dist/errors.js'
import {ssdScanChunked} from '../dist/ops/ssd-scan/ssd-scan-chunked.reference.js'
import {ssdScan} from '../dist/ops/ssd-scan/ssd-scan.js'

const {values: flags} = parseArgs({
  options: {
    device: {default: 'cpu', type: 'string'},
    json: {type: 'string'},
    longest: {default: '16384', type: 'string'},
  },
})
const CHUNK = 64
const SIZES = {cpu: {batch: 1, heads: 8, size: 32, states: 64}, gpu: {batch: 8, heads: 24, size: 64, states: 128}}
const {batch, heads, size, states} = SIZES[flags.device]
const device = await startDevice(flags.device)
const onGpu = device.name === 'gpu'
const backend = tf.backend()

function inputsOf(length) {
  const random = (shape, bound) =>
    onGpu
      ? tf
          .engine()
          .makeTensorFromTensorInfo(
            backend.randomUniform(shape, shape.length > 1 ? backend.precision : 'f32', bound, 1),
          )
      : tf.randomUniform(shape, -bound, bound)
  return {
    a: tf.fill([heads], -1),
    b: random([batch, length, states], 1),
    c: random([batch, length, states], 1),
    d: random([heads], 1),
    delta: tf.fill([batch, length, heads], -4.6),
    h0: null,
    x: random([batch, length, heads * size], 1),
  }
}

const settings = {groups: 1, heads, limit: [0, Infinity]}
const FORMS = onGpu
  ? {
      matrix: (inputs) => ssdScan(inputs, {...settings, stepByStep: false}),
      recurrent: (inputs) => ssdScan(inputs, {...settings, stepByStep: true}),
    }
  : {matrix: (inputs) => ssdScanChunked(inputs, settings, CHUNK), recurrent: (inputs) => ssdScan(inputs, settings)}
// On the GPU gradients are always those of the matrix form.
const hasGradient = (form) => !onGpu || form === 'matrix'

/** Median milliseconds; on the GPU of as many calls together as outlast the wait for it. null: it does not fit. */
async function time(call) {
  try {
    return await median(call)
  } catch (error) {
    if (error instanceof MemoryError) return null
    throw error
  }
}

async function median(call) {
  const together = onGpu ? 10 : 1
  const once = async () => {
    const began = performance.now()
    for (let i = 0; i < together; i++) tf.dispose(tf.tidy(call))
    if (onGpu) await backend.finish()
    return (performance.now() - began) / together
  }
  const first = await once()
  const runs = []
  for (let i = 0; i < (first > 2000 ? 1 : 5); i++) runs.push(await once())
  return runs.sort((left, right) => left - right)[runs.length >> 1]
}

const text = (milliseconds) => milliseconds?.toFixed(3) ?? ''
const rows = []
console.log(`${device.description}; B ${batch}, H ${heads}, P ${size}, N ${states}, Q ${CHUNK}`)
console.log('     L  form        forward ms  forward and backward ms')
for (let length = 16; length <= Number(flags.longest); length *= 4) {
  const inputs = inputsOf(length)
  for (const [form, run] of Object.entries(FORMS)) {
    const forward = await time(() => run(inputs).y)
    const gradient = tf.grads((x, delta, b, c) => run({...inputs, b, c, delta, x}).y)
    const dy = tf.ones(inputs.x.shape)
    const both = hasGradient(form) ? await time(() => gradient([inputs.x, inputs.delta, inputs.b, inputs.c], dy)) : null
    dy.dispose()
    rows.push({both, form, forward, length})
    console.log(
      `${String(length).padStart(6)}  ${form.padEnd(10)} ${text(forward).padStart(11)}  ${text(both).padStart(23)}`,
    )
  }
  tf.dispose(Object.values(inputs).filter(Boolean))
}
if (flags.json) {
  const result = {batch, chunk: CHUNK, description: device.description, device: device.name, heads, rows, size, states}
  writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`)
}
device.close()
process.exit(0)
