/**
 * A model of a given shape with random weights, made on the device: what benchmarks run. The numbers have the size that
 * training would give them, so that steps, decays and gradients are ordinary ones.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuBackend} from '../backend/gpu/current.js'
import {RandomStream} from '../data/random.js'
import {type MambaConfig} from './config.js'
import {type LanguageModel} from './language-model.js'
import {parameterShapes} from './parameters.js'
import {Weights} from './weights.js'

/** Bias of dt_proj, and dt_bias: softplus of it is about 0.01. */
const DT_BIAS = -4.6

export function randomModel(config: MambaConfig, seed: number): LanguageModel {
  const tensors = new Map<string, tf.Tensor>()
  let index = 0
  for (const [name, shape] of parameterShapes(config)) {
    tensors.set(name, tf.keep(tf.tidy(() => parameter(name, shape, config, seed + index++))))
  }
  return {config, weights: new Weights(tensors)}
}

function parameter(name: string, shape: readonly number[], config: MambaConfig, seed: number): tf.Tensor {
  const last = name.split('.').slice(-2).join('.')
  if (last.endsWith('A_log')) return decayRates(config)
  if (last.endsWith('.D') || last.includes('norm')) return tf.ones([...shape])
  if (last === 'dt_proj.bias' || last.endsWith('dt_bias')) return tf.fill([...shape], DT_BIAS)
  if (last.endsWith('bias')) return tf.zeros([...shape])
  const inputs = shape[shape.length - 1]
  return uniform(shape, name.includes('embeddings') ? 0.05 : 1 / Math.sqrt(inputs), shape.length === 2, seed)
}

/** A_log: rates 1 … N for the states of each channel, or 1 … 16 over the heads, as training starts them */
function decayRates(config: MambaConfig): tf.Tensor {
  if (config.architecture === 'mamba2') {
    const {heads} = config
    return tf.tensor1d(Float32Array.from({length: heads}, (_, h) => Math.log(1 + (15 * h) / Math.max(1, heads - 1)))) // (H)
  }
  const {inner, states} = config
  const row = Float32Array.from({length: states}, (_, n) => Math.log(n + 1))
  return tf.tile(tf.tensor2d(row, [1, states]), [inner, 1]) // (E, N)
}

/** @param isMatrix stored in the device's precision */
function uniform(shape: readonly number[], bound: number, isMatrix: boolean, seed: number): tf.Tensor {
  const backend = gpuBackend()
  if (backend) {
    const format = isMatrix && backend.precision === 'f16' && shape[shape.length - 1] % 8 === 0 ? 'f16' : 'f32'
    return tf.engine().makeTensorFromTensorInfo(backend.randomUniform(shape, format, bound, seed))
  }
  const random = new RandomStream(seed, 'random model')
  const size = tf.util.sizeFromShape([...shape])
  return tf.tensor(
    Float32Array.from({length: size}, () => (2 * random.uniform() - 1) * bound),
    [...shape],
  )
}
