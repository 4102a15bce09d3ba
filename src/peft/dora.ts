/**
 * DoRA: W′ = m ⊙ V / ‖V‖ with V = W + s B A and ‖·‖ the length of each row. Liu et al., arXiv 2402.09353, equation 5; the
 * length counts as a constant in the gradient, as their section 4.3 proposes and Hugging Face PEFT does.
 *
 * W′ is never made: W′ x = g ⊙ (W x + s B A x) with the gain g = m / ‖V‖, and the lengths come from small products,
 *
 *   ‖V‖² = ‖W‖² (1 + q),   q = Σ_k B[·, k] (2 s W Aᵀ + s² B A Aᵀ)[·, k] / ‖W‖²,
 *
 * where ‖W‖ is computed once. While B is zero, q is zero and g is 1 to the last bit, because m starts as that ‖W‖.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../backend/gpu/current.js'
import {MismatchError} from '../errors.js'
import {checkpointName} from '../model/parameters.js'
import {type Weights} from '../model/weights.js'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {unrecorded} from '../ops/tape.js'
import {type LowRankFactors} from './low-rank-sites.js'
import {type Attachment} from './method.js'
import {type AdaptableSite} from './sites-of.js'

/** g (rows), which has a gradient for m alone. */
export function doraGain(
  magnitudes: tf.Tensor1D, // m (rows)
  {down, scale, up}: Omit<LowRankFactors, 'gain'>,
  site: AdaptableSite,
  {kept, weights}: Pick<Attachment, 'kept' | 'weights'>,
): tf.Tensor1D {
  const before = kept(`${site.name} lengths`, () => rowLengths(weights, site)) // ‖W‖ (rows)
  const lengths = unrecorded(() => {
    const products = rowsOf(timesFactor(weights, site, down), site) // W Aᵀ (rows, r)
    const squares = tf.mul(tf.matMul(up, tf.matMul(down, down, false, true)), scale * scale) // (rows, r)
    const change = tf.sum(tf.mul(up, tf.add(tf.mul(products, 2 * scale), squares)), 1) // (rows)
    const q = tf.maximum(tf.div(change, tf.mul(before, before)), -1)
    const growth = tf.div(q, tf.add(tf.sqrt(tf.add(q, 1)), 1)) // √(1 + q) − 1
    return tf.add(before, tf.mul<tf.Tensor1D>(before, growth)) // ‖V‖
  })
  return tf.add(tf.div<tf.Tensor1D>(tf.sub(magnitudes, lengths), lengths), 1)
}

/** The first values of m. Errors: MismatchError for rows of zeros, which have no direction. */
export async function firstMagnitudes(site: AdaptableSite, weights: Weights): Promise<Float32Array> {
  const lengths = tf.tidy(() => rowLengths(weights, site))
  const own = (await lengths.data<'float32'>()).slice() // waits for the device
  lengths.dispose()
  const zero = own.indexOf(0)
  if (zero < 0) return own
  throw new MismatchError('DoRA cannot adapt a row of zeros: it has no direction to keep.', {
    faults: [{message: `row ${site.from + zero} of its weight is zero`, where: site.name}],
    hint: 'Leave dora away for this target.',
  })
}

/** W Aᵀ (out, r) of the whole module, since rows of frozen matrices are not sliced without a copy. */
function timesFactor(weights: Weights, {inputs, kind, module}: AdaptableSite, down: tf.Tensor2D): tf.Tensor2D {
  const weight = weights.get(checkpointName(module, 'weight'))
  if (kind === 'conv') return tf.matMul(tf.reshape<tf.Rank.R2>(weight, [-1, inputs]), down, false, true)
  return adaptedLinear({bias: null, update: null, weight: down, weightTransposed: null, x: weight})
}

function rowsOf<T extends tf.Tensor>(values: T, {from, to}: AdaptableSite): T {
  if (from === 0 && to === values.shape[0]) return values
  return tf.slice(values, from, to - from)
}

/** ‖W‖ of each row of a site (rows): summed in f64 where a tensor is host memory. */
function rowLengths(weights: Weights, site: AdaptableSite): tf.Tensor1D {
  const weight = weights.get(checkpointName(site.module, 'weight'))
  const rows = weight.shape[0]
  if (!gpuHost()) return rowsOf(tf.tensor1d(lengthsOnHost(weight.dataSync<'float32'>(), rows)), site)
  const wide = tf.mul<tf.Tensor2D>(tf.reshape(weight, [rows, -1]), tf.ones([1])) // f32, in whatever it is stored
  return tf.sqrt(rowsOf(tf.sum<tf.Tensor1D>(tf.square(wide), 1), site))
}

function lengthsOnHost(values: Float32Array, rows: number): Float32Array {
  const inputs = values.length / rows
  return Float32Array.from({length: rows}, (_, row) => {
    let squares = 0
    for (let i = row * inputs; i < (row + 1) * inputs; i++) squares += values[i] * values[i]
    return Math.sqrt(squares)
  })
}
