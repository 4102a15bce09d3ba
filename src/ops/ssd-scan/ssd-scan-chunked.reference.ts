/**
 * The SSD scan once more, in its chunked matrix form: within a chunk of Q steps the scan is a masked product as in attention,
 * and only one state a chunk goes from chunk to chunk. With S_t = Σ_{s ≤ t} Δ_s A, counted from the chunk's start:
 *
 *   y_t = Σ_{s ≤ t} (C_t · B_s) exp(S_t − S_s) Δ_s x_s + exp(S_t) h C_t + D x_t
 *   h  ← exp(S_Q) h + Σ_s exp(S_Q − S_s) Δ_s x_s ⊗ B_s
 *
 * Dao and Gu, Transformers are SSMs, arXiv 2405.21060, section 6 and listing 1. It shares no step with the recurrent form,
 * so the two check each other.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type SsdInputs, type SsdOutputs, type SsdSettings} from './ssd-scan.js'
import {forEachHead, timeSteps} from './ssd-scan.reference.js'

/** One chunk, heads in front of steps. */
interface Chunk {
  readonly x: tf.Tensor4D // (B, H, Q, P)
  readonly b: tf.Tensor4D // (B, H, Q, N)
  readonly c: tf.Tensor4D // (B, H, Q, N)
  readonly step: tf.Tensor4D // (B, H, Q, 1)
  /** Δ A */
  readonly rate: tf.Tensor4D // (B, H, Q, 1)
}

function scanChunk({b, c, rate, step, x}: Chunk, h: tf.Tensor4D): {h: tf.Tensor4D; y: tf.Tensor4D} {
  const [batch, heads, steps] = rate.shape
  const mask = tf.tensor2d(
    Float32Array.from({length: steps * steps}, (_, i) => (i % steps <= Math.trunc(i / steps) ? 1 : 0)),
    [steps, steps],
  ) // (Q, Q), 1 where s ≤ t
  const everywhere: tf.Tensor4D = tf.tile(tf.reshape(mask, [1, 1, steps, steps]), [batch, heads, 1, 1]) // (B, H, Q, Q)
  const sums: tf.Tensor4D = tf.matMul(everywhere, rate) // (B, H, Q, 1)
  const total: tf.Tensor4D = tf.slice4d(sums, [0, 0, steps - 1, 0], [batch, heads, 1, 1]) // (B, H, 1, 1)
  const apart = tf.sub(sums, tf.transpose(sums, [0, 1, 3, 2])) // (B, H, Q, Q), S_t − S_s
  // Masked before too: above the diagonal the exponent is positive and could overflow.
  const decays = tf.mul(tf.exp(tf.mul(apart, mask)), mask)
  const drive: tf.Tensor4D = tf.mul(step, x) // (B, H, Q, P)
  const within: tf.Tensor4D = tf.matMul(tf.mul(tf.matMul(c, b, false, true), decays), drive) // (B, H, Q, P)
  const before: tf.Tensor4D = tf.matMul(tf.mul(c, tf.exp(sums)), h, false, true) // (B, H, Q, P)
  const late: tf.Tensor4D = tf.mul(drive, tf.exp(tf.sub(total, sums))) // (B, H, Q, P)
  return {h: tf.add(tf.mul(tf.exp(total), h), tf.matMul(late, b, true, false)), y: tf.add(within, before)}
}

/** @param chunk Q */
export function ssdScanChunked(inputs: SsdInputs, settings: SsdSettings, chunk: number): SsdOutputs {
  const {a, d, delta, x} = inputs
  const [batch, length, channels] = x.shape
  const {heads} = settings
  const size = channels / heads
  const step = timeSteps(delta, settings.limit) // (B, L, H)
  const byStep = {
    b: forEachHead(inputs.b, settings), // (B, L, H, N)
    c: forEachHead(inputs.c, settings), // (B, L, H, N)
    rate: tf.reshape(tf.mul(step, a), [batch, length, heads, 1]), // (B, L, H, 1)
    step: tf.reshape(step, [batch, length, heads, 1]), // (B, L, H, 1)
    x: tf.reshape(x, [batch, length, heads, size]), // (B, L, H, P)
  }
  let h: tf.Tensor4D = inputs.h0 ?? tf.zeros([batch, heads, size, byStep.b.shape[3]]) // (B, H, P, N)
  const outputs: tf.Tensor4D[] = []
  for (let from = 0; from < length; from += chunk) {
    const steps = Math.min(chunk, length - from)
    const take = (values: tf.Tensor): tf.Tensor4D => {
      const part = tf.slice(values, [0, from, 0, 0], [batch, steps, heads, values.shape[3] ?? 1])
      return tf.transpose(part as tf.Tensor4D, [0, 2, 1, 3]) // (B, H, Q, ·)
    }
    const {b, c, rate, step: ofChunk, x: input} = byStep
    const after = scanChunk({b: take(b), c: take(c), rate: take(rate), step: take(ofChunk), x: take(input)}, h)
    h = after.h
    outputs.push(tf.transpose(after.y, [0, 2, 1, 3])) // (B, Q, H, P)
  }
  const y = tf.add(tf.concat(outputs, 1), tf.mul(byStep.x, tf.reshape(d, [heads, 1]))) // (B, L, H, P)
  return {last: h, y: tf.reshape(y, [batch, length, channels])}
}
