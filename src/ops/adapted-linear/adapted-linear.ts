/**
 * A linear layer with a low-rank update:  y = x Wᵀ + bias + s (x′ Aᵀ) Bᵀ.
 *
 * Hu et al., LoRA, arXiv 2106.09685, equation 3. Several updates of one layer are
 * stacked along the rank; an update of a slice of the outputs has zero rows of B elsewhere. x′ is x after dropout, and x
 * itself where none is given. The update goes through the activations, not through W + BA, because that costs
 * 2 M R (in + out) operations instead of the 2 M in out of a full weight gradient.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../backend/gpu/current.js'
import {defineOperation, type Inputs} from '../operation.js'
import {timesTransposed, transposedTimes} from '../product.js'
import {adaptedLinearOnGpu} from './adapted-linear.gpu.js'

export interface LinearInputs {
  readonly x: tf.Tensor // (…, in)
  readonly weight: tf.Tensor2D // (out, in), as checkpoints store it
  /** (in, out), the same numbers: kept for frozen weights on devices that multiply by it faster */
  readonly weightTransposed: tf.Tensor2D | null
  readonly bias: tf.Tensor1D | null // (out)
  readonly update: LowRankUpdate | null
  /** Nobody will ask for the weight's gradient, so x need not be kept for it. */
  readonly frozen?: boolean
}

export interface LowRankUpdate {
  readonly down: tf.Tensor2D // A (R, in)
  readonly up: tf.Tensor2D // B (out, R)
  /** s; 1 if left out */
  readonly scale?: number
  readonly x: tf.Tensor | null // (…, in) x after dropout; null is x
}

/** All but the last axis folded into one: (…, n) → (M, n). */
function rowsOf(x: tf.Tensor): tf.Tensor2D {
  const columns = x.shape[x.rank - 1]
  return tf.reshape(x, [x.size / columns, columns])
}

interface Typed {
  readonly weight: tf.Tensor2D
  readonly down: tf.Tensor2D
  readonly up: tf.Tensor2D
  readonly dropped: tf.Tensor2D
}

function typed(inputs: Inputs): Typed {
  const {down, up, updateX, weight, x} = inputs
  return {
    down: down as tf.Tensor2D,
    dropped: rowsOf(updateX ?? x),
    up: up as tf.Tensor2D,
    weight: weight as tf.Tensor2D,
  }
}

const linear = defineOperation({
  gradient([dy], inputs) {
    const {down, dropped, up, weight} = typed(inputs)
    const {updateX, x} = inputs
    const dRows = rowsOf(dy) // (M, out)
    let shared: tf.Tensor2D | undefined
    const dInner = (): tf.Tensor2D => (shared ??= tf.matMul<tf.Tensor2D>(dRows, up)) // (M, R)
    if (inputs.down) dInner()
    return {
      bias: () => tf.sum(dRows, 0), // (out)
      down: () => transposedTimes(dInner(), dropped), // (R, in)
      up: () => tf.transpose<tf.Tensor2D>(transposedTimes(timesTransposed(dropped, down), dRows)), // (out, R)
      updateX: () => tf.reshape(tf.matMul(dInner(), down), x.shape), // (…, in)
      weight: () => transposedTimes(dRows, rowsOf(x)), // (out, in)
      x() {
        const base = tf.matMul(dRows, weight) // (M, in)
        const whole = inputs.down && !updateX ? tf.add(base, tf.matMul(dInner(), down)) : base
        return tf.reshape(whole, x.shape)
      },
    }
  },
  gpu: adaptedLinearOnGpu,
  name: 'MambaAdaptedLinear',
  value(inputs) {
    const {down, dropped, up, weight} = typed(inputs)
    const {bias, weightTransposed, x} = inputs
    const rows = rowsOf(x) // (M, in)
    let y = weightTransposed ? tf.matMul(rows, weightTransposed) : timesTransposed(rows, weight) // (M, out)
    if (bias) y = tf.add(y, bias)
    if (inputs.down) y = tf.add(y, timesTransposed(timesTransposed(dropped, down), up))
    return tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[0]])
  },
})

/** x (…, in) → (…, out). */
export function adaptedLinear<T extends tf.Tensor>(layer: LinearInputs): T {
  const {bias, frozen = false, update, weight, weightTransposed, x} = layer
  const inputs: Inputs = {weight, x, ...(weightTransposed && {weightTransposed}), ...(bias && {bias})}
  if (!update) return linear(inputs, {frozen})[0] as T
  const {down, scale = 1, up, x: dropped} = update
  // Shaders scale what lies between A and B; elsewhere B is scaled first.
  const inShaders = gpuHost() !== null
  const scaledUp = scale === 1 || inShaders ? up : tf.mul(up, scale)
  Object.assign(inputs, {down, up: scaledUp}, dropped && {updateX: dropped})
  return linear(inputs, inShaders ? {frozen, scale} : {frozen})[0] as T
}
