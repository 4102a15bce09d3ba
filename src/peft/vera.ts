/**
 * VeRA:  ΔW = diag(λ_b) B diag(λ_d) A  with random A (r, most inputs) and B (most rows, r) that all sites share, each taking
 * the first columns of A and rows of B, and trained scales λ_d (r) and λ_b (rows) of its own.
 * Kopiczko et al., arXiv 2310.11454, equation 2. λ_b starts as zero, so a fresh adapter changes nothing.
 *
 * A and B start as Hugging Face PEFT starts them, U(±√(6 / columns)), from numbers of our own: they are made from `seed` when
 * an adapter is attached, and are not in its file.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {mergeFactors} from './low-rank-merge.js'
import {type LowRankFactors, lowRankSites, refuseDeadDropout} from './low-rank-sites.js'
import {type Attachment, type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {type AdaptableSite, tensorOf} from './sites-of.js'
import {resolveTargets} from './targets.js'
import {sharedMatrix, sharedShapes} from './vera-matrices.js'
import {type VeraSettings} from './vera-settings.js'

function parameters(settings: VeraSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  refuseDeadDropout(settings, config)
  const {first_scale: firstScale, rank} = settings
  const sites = resolveTargets(settings.targets, config)
  const {a, b} = sharedShapes(rank, sites)
  const specs = new Map<string, ParameterSpec>([
    ['vera_A', {frozen: 'remade', initial: () => sharedMatrix(settings, 'A', a), shape: a}],
    ['vera_B', {frozen: 'remade', initial: () => sharedMatrix(settings, 'B', b), shape: b}],
  ])
  for (const {from, name, to} of sites) {
    specs.set(`${name}.vera_lambda_d`, {initial: () => new Float32Array(rank).fill(firstScale), shape: [rank]})
    specs.set(`${name}.vera_lambda_b`, {initial: () => new Float32Array(to - from), shape: [to - from]})
  }
  return specs
}

function wrap(settings: VeraSettings, attachment: Attachment, base: Sites): Sites {
  return lowRankSites(settings, attachment, base, (site) => factorsOf(attachment, site))
}

function factorsOf({parameters: values, settled}: Attachment, {from, inputs, name, to}: AdaptableSite): LowRankFactors {
  const scales = (kind: 'b' | 'd'): tf.Tensor1D => values.get(`${name}.vera_lambda_${kind}`) as tf.Tensor1D
  const part = (matrix: 'A' | 'B', lengths: [number, number]): tf.Tensor2D =>
    tf.slice2d(values.get(`vera_${matrix}`) as tf.Tensor2D, [0, 0], lengths)
  const rank = scales('d').size
  return {
    down: settled(`${name} A`, () => tf.mul(tf.expandDims(scales('d'), 1), part('A', [rank, inputs]))), // (r, in)
    gain: null,
    scale: 1,
    up: settled(`${name} B`, () => tf.mul(tf.expandDims(scales('b'), 1), part('B', [to - from, rank]))), // (rows, r)
  }
}

function steps(
  settings: VeraSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const {rank} = settings
  const sites = resolveTargets(settings.targets, config)
  const {a, b} = sharedShapes(rank, sites)
  const [sharedA, sharedB] = [sharedMatrix(settings, 'A', a), sharedMatrix(settings, 'B', b)]
  const result = new Map<string, MergeStep>()
  for (const site of sites) {
    const scales = (kind: 'b' | 'd'): Float32Array =>
      (values.get(`${site.name}.vera_lambda_${kind}`) as ParameterValues).values
    const name = tensorOf(site, config)
    const earlier = result.get(name)
    result.set(name, (weight, base) => {
      earlier?.(weight, base)
      mergeFactors(weight, base, site, {
        down: scaledRows(sharedA, a[1], scales('d'), site.inputs),
        magnitudes: null,
        rank,
        scale: 1,
        up: scaledRows(sharedB, rank, scales('b'), rank),
      })
    })
  }
  return result
}

/** The first columns of each row times its scale, in f64. */
function scaledRows(matrix: Float32Array, width: number, scales: Float32Array, columns: number): Float64Array {
  return Float64Array.from({length: scales.length * columns}, (_, at) => {
    const row = Math.trunc(at / columns)
    return scales[row] * matrix[row * width + (at % columns)]
  })
}

export const vera: Method<VeraSettings> = {merge: {steps}, name: 'vera', parameters, wrap}
