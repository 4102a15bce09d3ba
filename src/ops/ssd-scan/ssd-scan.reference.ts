/** The meaning of the SSD scan: ssd-scan.ts's equations, one step after another, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {eachSequence} from '../sequences.reference.js'
import {type SsdInputs, type SsdOutputs, type SsdSettings} from './ssd-scan.js'

/** Δ = clamp(softplus(delta), low, high) */
export function timeSteps(delta: tf.Tensor3D, [low, high]: SsdSettings['limit']): tf.Tensor3D {
  return tf.clipByValue(tf.softplus(delta), low, high) // (B, L, H)
}

/** B or C of the groups (B, L, G·N), once for each of their heads */
export function forEachHead(matrix: tf.Tensor3D, {groups, heads}: SsdSettings): tf.Tensor4D {
  const [batch, length, columns] = matrix.shape
  const states = columns / groups
  const alone = tf.reshape(matrix, [batch * length, groups, 1, states]) // (M, G, 1, N)
  return tf.reshape(tf.tile(alone, [1, 1, heads / groups, 1]), [batch, length, heads, states]) // (B, L, H, N)
}

export function ssdScanReference(inputs: SsdInputs, settings: SsdSettings): SsdOutputs {
  const {a, d, delta, h0, positions, x} = inputs
  if (positions) {
    return eachSequence(positions, {b: inputs.b, c: inputs.c, delta, x}, h0, (steps, first) =>
      ssdScanReference({a, d, h0: first, ...steps}, settings),
    )
  }
  const [batch, length, channels] = x.shape
  const {heads} = settings
  const size = channels / heads
  const b = forEachHead(inputs.b, settings) // (B, L, H, N)
  const c = forEachHead(inputs.c, settings) // (B, L, H, N)
  const step = timeSteps(delta, settings.limit) // (B, L, H)
  const decay = tf.exp(tf.mul<tf.Tensor3D>(step, a)) // (B, L, H)
  const states = b.shape[3]
  let h: tf.Tensor4D = h0 ?? tf.zeros([batch, heads, size, states]) // (B, H, P, N)
  const outputs: tf.Tensor3D[] = []
  for (let t = 0; t < length; t++) {
    const ofHeads = (values: tf.Tensor3D): tf.Tensor4D =>
      tf.reshape(tf.slice3d(values, [0, t, 0], [batch, 1, heads]), [batch, heads, 1, 1]) // (B, H, 1, 1)
    const row = (matrix: tf.Tensor4D): tf.Tensor4D =>
      tf.reshape(tf.slice4d(matrix, [0, t, 0, 0], [batch, 1, heads, states]), [batch, heads, 1, states]) // (B, H, 1, N)
    const input: tf.Tensor4D = tf.reshape(tf.slice3d(x, [0, t, 0], [batch, 1, channels]), [batch, heads, size, 1]) // (B, H, P, 1)
    h = tf.add(tf.mul(ofHeads(decay), h), tf.mul(tf.mul(ofHeads(step), input), row(b)))
    const out: tf.Tensor3D = tf.reshape(tf.sum(tf.mul(h, row(c)), 3), [batch, 1, channels]) // (B, 1, E)
    outputs.push(out)
  }
  const perHead = tf.reshape(x, [batch, length, heads, size]) // (B, L, H, P)
  const skip: tf.Tensor3D = tf.reshape(tf.mul(perHead, tf.reshape(d, [heads, 1])), [batch, length, channels]) // (B, L, E)
  return {last: h, y: tf.add(tf.concat(outputs, 1), skip)}
}
