// Matrix products on the GPU, each in every tile that comes into question: time, and agreement with a plain sum at sampled
// places. Operands are eighths, so that f32 sums are exact. A star marks what the library itself would choose.
// Usage: node bench/gpu-products.mjs [--only TEXT] [--seconds 480] [--more] [--small] [--f32] [--checked]
// --more also times tiles that the library does not try.
import process from 'node:process'
import {parseArgs} from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import {startGpu} from '../dist/backend/gpu/gpu-device.js'
import {programOf, runPlan, sizesOf} from '../dist/ops/matrix-product/matrix-product.gpu.js'
import {planOf} from '../dist/ops/matrix-product/plan.js'
import {compare, fill} from './gpu-products-data.mjs'
import {cases} from './gpu-products-cases.mjs'
import {variants} from './gpu-products-variants.mjs'

const {values: flags} = parseArgs({
  options: {
    checked: {type: 'boolean'},
    f32: {type: 'boolean'},
    more: {type: 'boolean'},
    only: {default: '', type: 'string'},
    seconds: {default: '480', type: 'string'},
    small: {type: 'boolean'},
  },
})
const BYTES = {f16: 2, f32: 4}
const RUNS = flags.small ? 2 : 20
const deadline = performance.now() + 1000 * Number(flags.seconds)

const gpu = await startGpu({checked: flags.checked ?? false, precision: flags.f32 ? 'f32' : 'f16'})
if (!gpu) {
  console.log('no GPU')
  process.exit(1)
}
const host = gpu.backend
console.log(gpu.name, JSON.stringify(gpu.description.facts))

/** Microseconds of one call: on the GPU by timestamps, and of the wall clock when calls follow one another. */
async function time(call) {
  for (let warm = 0; warm < 3; warm++) call()
  await host.finish()
  const began = performance.now()
  for (let run = 0; run < RUNS; run++) call()
  await host.finish()
  const wall = ((performance.now() - began) / RUNS) * 1000
  if (!gpu.description.features.includes('timestamp-query')) return {gpuTime: wall, wall}
  const times = await host.profile(async () => {
    for (let run = 0; run < RUNS; run++) call()
  })
  return {gpuTime: (times.reduce((sum, {ms}) => sum + ms, 0) / RUNS) * 1000, wall}
}

function tensors({bias, extension, format, kind, left, right}) {
  const make = ([rows, columns, type], seed) => fill(host, [rows, columns], flags.f32 ? 'f32' : type, seed)
  return {
    ...(bias && {bias: fill(host, [bias], 'f32', 5)}),
    ...(extension && {extension: {left: make(extension.left, 3), right: make(extension.right, 4)}}),
    format: flags.f32 ? 'f32' : format,
    kind,
    left: make(left, 1),
    right: make(right, 2),
  }
}

async function runVariant(spec, sizes, {chosen, name, plan: make}, work, bytes) {
  const plan = make()
  const same = plan.shader.key === chosen.shader.key && plan.parts.parts === chosen.parts.parts
  const result = runPlan(host, spec, sizes, plan)
  const worst = await compare(host, spec, sizes, result)
  release(result)
  const {gpuTime, wall} = await time(() => release(runPlan(host, spec, sizes, plan)))
  const rate = [
    `${(work / gpuTime / 1e6).toFixed(1)} TFLOP/s`.padStart(15),
    `${(bytes / gpuTime / 1e3).toFixed(0)} GB/s`.padStart(11),
  ]
  const verdict = worst <= 1 ? '' : `  WRONG: ${worst} times the rounding`
  console.log(
    `  ${same ? '*' : ' '} ${name.padEnd(34)} ${gpuTime.toFixed(1).padStart(9)} µs  wall ${wall.toFixed(1).padStart(9)} µs ${rate.join('')}${verdict}`,
  )
}

function explain(error) {
  return [String(error), ...(error.faults ?? []).map(({message}) => message)].join(' | ').slice(0, 800)
}

function release(info) {
  tf.engine().makeTensorFromTensorInfo(info).dispose()
}

for (const [label, makeSpec] of cases(flags.small ?? false)) {
  if (!label.includes(flags.only)) continue
  if (performance.now() > deadline) {
    console.log('out of time')
    break
  }
  let spec
  try {
    const shapes = makeSpec()
    spec = tensors(shapes)
    const sizes = sizesOf(spec)
    const {k, m, n} = sizes
    const rank = shapes.extension?.left[1] ?? 0
    const work = 2 * m * n * (k + rank)
    const operands = [shapes.left, shapes.right, ...(shapes.extension ? Object.values(shapes.extension) : [])]
    const bytes = operands.reduce(
      (sum, [rows, columns, type]) => sum + rows * columns * BYTES[type],
      m * n * BYTES[shapes.format],
    )
    console.log(`${label}  ${spec.kind} m ${m} n ${n} k ${k}${rank ? ` + ${rank}` : ''} → ${spec.format}`)
    const program = programOf(host, spec)
    const chosen = planOf(host, program, sizes)
    for (const {name, plan} of variants(host, program, sizes, flags.more ?? false)) {
      if (performance.now() > deadline) break
      try {
        await runVariant(spec, sizes, {chosen, name, plan}, work, bytes)
      } catch (error) {
        console.log(`    ${name}: ${explain(error)}`)
      }
    }
  } catch (error) {
    console.log(`${label}: ${explain(error)}`)
  } finally {
    if (spec) {
      const {bias, extension, left, right} = spec
      for (const tensor of [left, right, bias, extension?.left, extension?.right]) if (tensor) release(tensor)
    }
  }
}
gpu.close()
