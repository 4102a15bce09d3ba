/**
 * Sites with low-rank updates around other sites: what LoRA and its relatives have in common. Each method says for a site
 * which factors its update has, y += s B A x on the rows of the site, and with a gain g what DoRA makes of them,
 * y ← g ⊙ (W x + s B A x).
 *
 * On the convolution, whose weight (E, 1, K) is read as an E × K matrix, the update is added to the weight before the
 * convolution runs. Of the embedding's table rows are taken, so B has a row for each token: h = W[id] + s B[id] A. Where
 * embedding and head are tied the target `embeddings` is both uses.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LowRankTerm, type Sites} from '../model/sites.js'
import {type Attachment} from './method.js'
import {type AdaptableSite} from './sites-of.js'
import {resolveTargets} from './targets.js'

/** The update of one site. */
export interface LowRankFactors {
  readonly down: tf.Tensor2D // A (r, in)
  readonly up: tf.Tensor2D // B (rows, r)
  readonly scale: number // s
  readonly gain: tf.Tensor1D | null // g (rows)
}

export interface LowRankSettings {
  readonly targets: readonly string[]
  readonly dropout: number
}

export function lowRankSites(
  settings: LowRankSettings,
  {config, dropout, weights}: Attachment,
  base: Sites,
  factorsOf: (site: AdaptableSite) => LowRankFactors,
): Sites {
  const byModule = new Map<string, AdaptableSite[]>()
  for (const site of resolveTargets(settings.targets, config)) {
    byModule.set(site.module, [...(byModule.get(site.module) ?? []), site])
  }
  const termsOf = (sites: readonly AdaptableSite[], dropped: tf.Tensor3D | null = null): LowRankTerm[] =>
    sites.map((site) => ({...factorsOf(site), dropped, from: site.from, to: site.to}))
  const droppedOf = (x: tf.Tensor3D): tf.Tensor3D | null =>
    dropout && settings.dropout > 0 ? dropInputs(x, settings.dropout, dropout) : null
  const tables = byModule.get('embeddings') ?? []
  const ofHead = [...(byModule.get('lm_head') ?? []), ...tables.filter(({slice}) => config.tied && slice === null)]
  return {
    ...base,
    embeddingTerms: () => [...base.embeddingTerms(), ...termsOf(tables)],
    head(hidden) {
      const below = base.head(hidden)
      if (ofHead.length === 0) return below
      return {...below, terms: [...below.terms, ...termsOf(ofHead, droppedOf(hidden))]}
    },
    linear(name, x, terms = []) {
      const sites = byModule.get(name)
      if (!sites) return base.linear(name, x, terms)
      return base.linear(name, x, [...terms, ...termsOf(sites, droppedOf(x))])
    },
    parameter(name, value) {
      const plain = base.parameter(name, value)
      const [site] = byModule.get(name.replace(/^backbone\./, '').replace(/\.weight$/, '')) ?? []
      if (site?.kind !== 'conv') return plain
      const {down, gain, scale, up} = factorsOf(site)
      const product = tf.matMul(up, down) // (E, K)
      if (!gain) return tf.add(plain, tf.reshape(tf.mul(product, scale), plain.shape)) // (E, 1, K)
      const frozen = tf.reshape<tf.Rank.R2>(weights.get(name), [-1, site.inputs]) // (E, K)
      const scaled = tf.mul(tf.expandDims(gain, 1), tf.add(frozen, tf.mul(product, scale))) // (E, K)
      return tf.add(plain, tf.reshape(tf.sub(scaled, frozen), plain.shape)) // (E, 1, K)
    },
  }
}

/** The convolution's update is added to its weight, and an embedding is looked up: there are no inputs to drop. */
export function refuseDeadDropout({dropout, targets}: LowRankSettings, config: MambaConfig): void {
  const dead = resolveTargets(targets, config).find(({kind}) => kind === 'conv' || kind === 'embedding')
  if (dropout === 0 || !dead) return
  const name = dead.kind === 'conv' ? 'conv1d' : 'embeddings'
  throw new RecipeError(`Dropout has no effect on ${name}.`, {
    faults: [{message: `is ${dropout}, but a target is ${name}, whose update has no dropout`, where: 'dropout'}],
    hint: `Give ${name} an entry of its own with dropout: 0.`,
  })
}

/** Zeroes a share of the values and scales the rest up, so that the expectation stays. */
function dropInputs(x: tf.Tensor3D, share: number, random: RandomStream): tf.Tensor3D {
  const keep = Float32Array.from({length: x.size}, () => (random.uniform() < share ? 0 : 1 / (1 - share)))
  return tf.mul(x, tf.tensor(keep, x.shape)) // (B, L, in)
}
