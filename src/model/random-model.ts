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

/** Bias of dt_proj: softplus of it is about 0.01. */
const DT_BIAS = -4.6

export function randomModel(config: MambaConfig, seed: number): LanguageModel {
  const tensors = new Map<string, tf.Tensor>()
  let index = 0
  for (const [name, shape] of parameterShapes(config)) {
    tensors.set(name, tf.keep(tf.tidy(() => parameter(name, shape, config, seed + index++))))
  }
  return {config, weights: new Weights(tensors)}
}

function parameter(name: string, shape: readonly number[], {states}: MambaConfig, seed: number): tf.Tensor {
  const last = name.split('.').slice(-2).join('.')
  if (last.endsWith('A_log')) {
    const row = Float32Array.from({length: states}, (_, n) => Math.log(n + 1))
    return tf.tile(tf.tensor2d(row, [1, states]), [shape[0], 1]) // (E, N)
  }
  if (last.endsWith('.D') || last.includes('norm')) return tf.ones([...shape])
  if (last === 'dt_proj.bias') return tf.fill([...shape], DT_BIAS)
  if (last.endsWith('bias')) return tf.zeros([...shape])
  const inputs = shape[shape.length - 1]
  return uniform(shape, name.includes('embeddings') ? 0.05 : 1 / Math.sqrt(inputs), shape.length === 2, seed)
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
