/** The meaning of the selective scan: selective-scan.ts's equations, one step after another, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {eachSequence} from '../sequences.reference.js'
import {type ScanInputs, type ScanOutputs} from './selective-scan.js'

export function selectiveScanReference({a, b, c, d, delta, h0, positions, u, z}: ScanInputs): ScanOutputs {
  if (positions) {
    return eachSequence(positions, {b, c, delta, u, z}, h0, (steps, first) =>
      selectiveScanReference({a, d, h0: first, ...steps}),
    )
  }
  const [batch, length, channels] = u.shape
  const states = a.shape[1]
  const step = tf.softplus(delta) // (B, L, E)
  let h: tf.Tensor3D = h0 ?? tf.zeros([batch, channels, states]) // (B, E, N)
  const outputs: tf.Tensor3D[] = []
  for (let t = 0; t < length; t++) {
    const at = <T extends tf.Tensor3D>(x: T): tf.Tensor3D => tf.slice3d(x, [0, t, 0], [batch, 1, x.shape[2]]) // (B, 1, ·)
    const perChannel = (x: tf.Tensor3D): tf.Tensor3D => tf.reshape(at(x), [batch, channels, 1]) // (B, E, 1)
    const decay = tf.exp(tf.mul(perChannel(step), tf.reshape(a, [1, channels, states]))) // (B, E, N)
    const drive = tf.mul(tf.mul(perChannel(step), perChannel(u)), at(b)) // (B, E, N)
    h = tf.add(tf.mul(decay, h), drive)
    outputs.push(tf.reshape(tf.sum(tf.mul(h, at(c)), 2), [batch, 1, channels]))
  }
  const value = tf.add(tf.concat(outputs, 1), tf.mul(u, d)) // (B, L, E)
  return {last: h, y: tf.mul(value, tf.mul(z, tf.sigmoid(z)))}
}
