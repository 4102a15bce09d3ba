/** The SSD scan step after step in TensorFlow.js operations, and inputs of any size for it. */
import * as tf from '@tensorflow/tfjs-core'
import {filled, type Named, normals, type Tensors} from '../support/values.js'

export interface SsdSizes {
  readonly batch: number
  readonly length: number
  readonly heads: number
  readonly groups: number
  readonly size: number
  readonly states: number
  readonly h0?: boolean
}

export interface SsdLimits {
  readonly low: number
  readonly high: number
}

export const UNLIMITED: SsdLimits = {high: Infinity, low: 0}

/** Of the magnitudes of a trained model: steps around 0.1 and decays −1 … −16. */
export function ssdInputs({batch, groups, h0 = true, heads, length, size, states}: SsdSizes): Named {
  const normal = normals(`ssd ${batch} ${length} ${heads} ${groups} ${size} ${states}`)
  return {
    a: filled([heads], (head) => -(1 + (15 * head) / heads)),
    b: normal([batch, length, groups * states]),
    c: normal([batch, length, groups * states]),
    d: normal([heads], 1),
    delta: normal([batch, length, heads], -2),
    x: normal([batch, length, heads * size]),
    ...(h0 && {h0: normal([batch, heads, size, states])}),
  }
}

export const SSD_DIFFERENTIABLE = ['x', 'delta', 'a', 'b', 'c', 'd', 'h0']

export function ssdMeaning(
  {a, b, c, d, delta, h0, x}: Tensors,
  {groups, heads}: Pick<SsdSizes, 'groups' | 'heads'>,
  {high, low}: SsdLimits,
): Tensors {
  const [batch, length = 0, channels = 0] = x.shape
  const size = channels / heads
  const states = (b.shape[2] ?? 0) / groups
  const step = tf.clipByValue(tf.softplus(delta), low, high) // (B, L, H)
  const slice = (tensor: tf.Tensor, t: number): tf.Tensor =>
    tf.slice(tensor, [0, t, 0], [batch, 1, tensor.shape[2] ?? 0]) // (B, 1, ·)
  const ofHeads = (tensor: tf.Tensor, t: number): tf.Tensor => tf.reshape(slice(tensor, t), [batch, heads, 1, 1])
  const ofGroups = (tensor: tf.Tensor, t: number): tf.Tensor =>
    tf.reshape(tf.tile(tf.reshape(slice(tensor, t), [batch, groups, 1, states]), [1, 1, heads / groups, 1]), [
      batch,
      heads,
      1,
      states,
    ]) // (B, H, 1, N)
  let h: tf.Tensor = h0 ?? tf.zeros([batch, heads, size, states]) // (B, H, P, N)
  const outputs: tf.Tensor[] = []
  for (let t = 0; t < length; t++) {
    const dt = ofHeads(step, t) // (B, H, 1, 1)
    const input = tf.reshape(slice(x, t), [batch, heads, size, 1]) // (B, H, P, 1)
    const decay = tf.exp(tf.mul(dt, tf.reshape(a, [1, heads, 1, 1]))) // (B, H, 1, 1)
    h = tf.add(tf.mul(decay, h), tf.mul(tf.mul(dt, input), ofGroups(b, t)))
    const y = tf.add(tf.sum(tf.mul(h, ofGroups(c, t)), 3, true), tf.mul(input, tf.reshape(d, [1, heads, 1, 1])))
    outputs.push(tf.reshape(y, [batch, 1, channels]))
  }
  return {last: h, y: tf.concat(outputs, 1)}
}
