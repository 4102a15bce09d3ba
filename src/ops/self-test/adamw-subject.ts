/** The optimizer on the GPU: two steps on three tensors of an arena, with and without rates of their own, against the same in f64 on the host. */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../backend/gpu/current.js'
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {accumulateOnGpu, normOnGpu, stepOnGpu} from '../adamw/adamw.gpu.js'
import {adamwStep} from '../adamw/adamw.js'
import {RATED_BLOCK} from '../adamw/adamw.wgsl.js'
import {arenaPlaceOf, ParameterArena} from '../adamw/parameter-arena.js'
import {toTensors} from '../operation.js'
import {type Results, type Subject} from './subject.js'
import {normals, type Values} from './values.js'

const SHAPES: readonly (readonly number[])[] = [[16, 40], [7], [33, 5]]
/** Factors of each tensor on learning rate and weight decay */
const RATES: readonly (readonly [number, number])[] = [
  [4, 1],
  [1, 0],
  [0.25, 10],
]
const STEPS = 2
const SETTINGS = {beta1: 0.9, beta2: 0.999, epsilon: 1e-8, learningRate: 0.01, weightDecay: 0.1}

/** Below the norm of the gradients, so that they are clipped. */
const CLIP_NORM = 1

/** Two gradients are accumulated, each with this weight. */
const SCALE = 0.5

const startOf = (): Values[] => SHAPES.map((shape) => normals(`adamw ${shape.join()}`)(shape))

const gradientsOf = (step: number, part: number): Values[] =>
  SHAPES.map((shape) => normals(`adamw ${step} ${part} ${shape.join()}`)(shape))

async function results(rated: boolean): Promise<Results> {
  const host = gpuHost()
  if (!host) throw new Error('The optimizer of the GPU is checked on the GPU only.')
  const first = startOf().map(({data, shape}) => ({shape, values: Float32Array.from(data)}))
  const arena = ParameterArena.create(first)
  try {
    const norms = await steps(host, arena, rated)
    const values = await Promise.all(arena.variables.map((variable) => variable.data<'float32'>()))
    return {norm: norms, ...Object.fromEntries(values.map((value, index) => [`value${index}`, value.slice()]))}
  } finally {
    arena.dispose()
  }
}

/** The norm of each step. */
async function steps(host: ShaderHost, {variables}: ParameterArena, rated: boolean): Promise<Float32Array> {
  const places = variables.map((variable) => {
    const place = arenaPlaceOf(variable)
    if (!place) throw new Error('a trained tensor is in no arena')
    return place
  })
  const values = places[0].whole
  const {parts, whole} = host.allocateTogether([values.shape, values.shape, values.shape])
  const layout = tf.tensor2d(
    places.map(({start}, index) => [start, variables[index].size]),
    [places.length, 2],
    'int32',
  )
  const rates = rated
    ? blockRates(
        places.map(({start}) => start / RATED_BLOCK),
        values.size / RATED_BLOCK,
      )
    : null
  const owned = [...toTensors([whole, ...parts]), layout, ...(rates ? [rates] : [])]
  const [gradients, m, v] = owned.slice(1)
  const norms: number[] = []
  for (let step = 1; step <= STEPS; step++) {
    for (const part of [0, 1]) accumulate(host, gradients, layout, gradientsOf(step, part))
    const norm = normOnGpu(host, gradients)
    stepOnGpu(host, {gradients, m, rates, v, values}, norm, {...SETTINGS, clipNorm: CLIP_NORM, step})
    norms.push((await norm.data())[0])
    norm.dispose()
  }
  tf.dispose(owned)
  return Float32Array.from(norms)
}

/** The factors of each tensor from its first block to the next tensor's. */
function blockRates(starts: readonly number[], blocks: number): tf.Tensor {
  const rows = Array.from(
    {length: Math.ceil(blocks)},
    (_, block) => RATES[starts.findLastIndex((first) => first <= block)],
  )
  return tf.tensor2d(rows.flat(), [rows.length, 2])
}

function accumulate(host: ShaderHost, arena: tf.Tensor, layout: tf.Tensor, gradients: readonly Values[]): void {
  const tensors = gradients.map(({data, shape}) => tf.tensor(data, [...shape]))
  const placed = tensors.map((gradient, row) => ({gradient, row}))
  accumulateOnGpu(host, arena, layout, placed, SCALE)
  tf.dispose(tensors)
}

function expected(rated: boolean): Promise<Results> {
  const values = startOf().map(({data}) => Float32Array.from(data))
  const moments = values.map(({length}) => ({m: new Float32Array(length), v: new Float32Array(length)}))
  const norms: number[] = []
  for (let step = 1; step <= STEPS; step++) {
    const [some, others] = [0, 1].map((part) => gradientsOf(step, part))
    const sums = some.map(({data}, row) =>
      Float32Array.from(data, (value, index) => SCALE * (value + others[row].data[index])),
    )
    const norm = Math.sqrt(sums.reduce((sum, list) => list.reduce((all, value) => all + value * value, sum), 0))
    const gradientScale = Math.min(1, CLIP_NORM / (norm + 1e-6))
    for (const [row, list] of values.entries()) {
      const [rate, decay] = rated ? RATES[row] : [1, 1]
      const {learningRate, weightDecay} = SETTINGS
      const own = {learningRate: rate * learningRate, weightDecay: decay * weightDecay}
      adamwStep(list, sums[row], moments[row], {...SETTINGS, ...own, gradientScale, step})
    }
    norms.push(norm)
  }
  const named = Object.fromEntries(values.map((list, index) => [`value${index}`, list]))
  return Promise.resolve({norm: Float32Array.from(norms), ...named})
}

export const adamwSubjects: readonly Subject[] = [false, true].map((rated) => ({
  expected: () => expected(rated),
  kernel: 'AdamW',
  results: () => results(rated),
  sizes: `${SHAPES.map((shape) => shape.join(' × ')).join(', ')}${rated ? ', with rates of their own' : ''}`,
}))
