/**
 * The most probable token of each row of logits: the largest, the smallest id among equals, as src/model/sampling.ts takes
 * it. On the GPU only the ids leave the device. A NaN counts as the largest, so that it cannot go unnoticed: its id is −1.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../backend/gpu/current.js'
import {flatGrid} from '../../backend/gpu/shader.js'
import {toTensors} from '../operation.js'
import {mostProbableShader} from './most-probable.wgsl.js'

/** logits (…, V) → ids (rows), int32. Not differentiable. */
export function mostProbable(logits: tf.Tensor): tf.Tensor1D {
  const columns = logits.shape[logits.rank - 1]
  const rows = logits.size / columns
  const host = gpuHost()
  if (!host) return tf.argMax<tf.Tensor1D>(tf.reshape(logits, [rows, columns]), 1)
  const [ids] = host.launch({
    grid: flatGrid(rows),
    inputs: [logits],
    outputs: [{format: 'i32', shape: [rows]}],
    shader: mostProbableShader(host.formatOf(logits)),
    whole: [rows, columns],
  })
  return toTensors([ids])[0] as tf.Tensor1D
}
