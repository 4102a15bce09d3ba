/**
 * PiSSA: A and B start as the principal part of the weight, s B₀ A₀ = U_r Σ_r V_rᵀ with A₀ = √(Σ/s) Vᵀ, B₀ = U √(Σ/s), and
 * the base gives that part up. Meng et al., arXiv 2404.02948, equations 2 to 4.
 *
 * We differ by leaving the base as it is and subtracting the part that it starts with:
 *
 *   ΔW = s (B A − B₀ A₀) = s ([B − B₀, B₀] [A; A − A₀])
 *
 * so that other adapters and merging see one base, and a fresh adapter changes nothing to the last bit. A₀ and B₀ are saved
 * with the adapter, because another device would round them otherwise.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../data/random.js'
import {RecipeError} from '../errors.js'
import {checkpointName, EMBEDDINGS, HEAD} from '../model/parameters.js'
import {type Weights} from '../model/weights.js'
import {type ParameterSpec} from './method.js'
import {principalPart} from './principal-part.js'
import {type AdaptableSite} from './sites-of.js'

interface FirstFactors {
  readonly down: Float32Array // A₀ (r, in)
  readonly up: Float32Array // B₀ (rows, r)
}

/** lora_A and lora_B, trained, and what they start as. Errors: RecipeError for more ranks than singular values. */
export function pissaSpecs(site: AdaptableSite, rank: number, scale: number): [string, ParameterSpec][] {
  const {from, inputs, name, to} = site
  const most = Math.min(to - from, inputs)
  if (rank > most) {
    throw new RecipeError('A target has fewer singular values than the rank of its update.', {
      faults: [{message: `is ${rank}, and ${name} has ${most} singular values`, where: 'rank'}],
      hint: `Lower the rank to ${most}, or give this target an entry of its own.`,
    })
  }
  let made: Promise<FirstFactors> | undefined
  const factors = (base: Weights | null): Promise<FirstFactors> => {
    if (!base) throw new Error(`The first values of ${name} are a part of the base.`)
    return (made ??= firstFactors(site, rank, scale, base))
  }
  const down: ParameterSpec['initial'] = (_, base) => factors(base).then((first) => first.down)
  const up: ParameterSpec['initial'] = (_, base) => factors(base).then((first) => first.up)
  const [shapeOfA, shapeOfB] = [
    [rank, inputs],
    [to - from, rank],
  ]
  return [
    [`${name}.lora_A`, {initial: down, shape: shapeOfA}],
    [`${name}.lora_B`, {initial: up, shape: shapeOfB}],
    [`${name}.pissa_A`, {frozen: 'saved', initial: down, shape: shapeOfA}],
    [`${name}.pissa_B`, {frozen: 'saved', initial: up, shape: shapeOfB}],
  ]
}

async function firstFactors(site: AdaptableSite, rank: number, scale: number, base: Weights): Promise<FirstFactors> {
  const {from, inputs, name, to} = site
  const rows = tf.tidy(() => {
    const all = tf.reshape(weightOf(site, base), [-1, inputs]) // (out, in)
    return tf.slice2d(all as tf.Tensor2D, [from, 0], [to - from, inputs])
  })
  try {
    const {u, v, values} = await principalPart(rows, rank, new RandomStream(0, 'pissa', name))
    const down = new Float32Array(rank * inputs)
    const up = new Float32Array((to - from) * rank)
    for (let k = 0; k < rank; k++) {
      const root = Math.sqrt(values[k] / scale)
      for (let i = 0; i < inputs; i++) down[k * inputs + i] = root * v[k][i]
      for (let row = 0; row < to - from; row++) up[row * rank + k] = root * u[k][row]
    }
    return {down, up}
  } finally {
    rows.dispose()
  }
}

function weightOf({kind, module}: AdaptableSite, base: Weights): tf.Tensor {
  if (kind === 'head') return base.get(base.has(HEAD) ? HEAD : EMBEDDINGS)
  return base.get(checkpointName(module, 'weight'))
}

/** [A; A − A₀] (2r, in) and [B − B₀, B₀] (rows, 2r) */
export function pissaFactors(matrix: (name: 'lora_A' | 'lora_B' | 'pissa_A' | 'pissa_B') => tf.Tensor2D): {
  down: tf.Tensor2D
  up: tf.Tensor2D
} {
  const [a, b, firstA, firstB] = [matrix('lora_A'), matrix('lora_B'), matrix('pissa_A'), matrix('pissa_B')]
  return {
    down: tf.concat2d([a, tf.sub<tf.Tensor2D>(a, firstA)], 0), // (2r, in)
    up: tf.concat2d([tf.sub<tf.Tensor2D>(b, firstB), firstB], 1), // (rows, 2r)
  }
}
