/**
 * LoRA:  y = W x + s B A x,  s = α / r, or α / √r with rslora.
 * Hu et al., arXiv 2106.09685, equation 3; Kalajdzievski, arXiv 2312.03732, for √r. A starts as U(±1/√in) and B as zero,
 * as Hugging Face PEFT starts them, so a fresh adapter changes nothing.
 *
 * On a slice of a projection the update touches that slice's rows only. On the convolution, whose weight (E, 1, K) is
 * read as an E × K matrix, the update is added to the weight before the convolution runs. We differ from PEFT in that
 * every projection trains, dt_proj and out_proj included: the model has no path around its sites.
 *
 * On the embedding, whose weight (V, d) is a table, B has a row for each token: h = W[id] + s B[id] A. In PEFT's files the
 * same two factors lie the other way round. Where embedding and head are tied the target `embeddings` is both uses.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LowRankTerm, type Sites} from '../model/sites.js'
import {loraScale, type LoraSettings} from './lora-settings.js'
import {type Attachment, type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {type AdaptableSite, tensorOf} from './sites-of.js'
import {resolveTargets} from './targets.js'

function uniform(count: number, bound: number, random: RandomStream): Float32Array {
  return Float32Array.from({length: count}, () => (2 * random.uniform() - 1) * bound)
}

function parameters(settings: LoraSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const {rank} = settings
  const specs = new Map<string, ParameterSpec>()
  refuseDeadDropout(settings, config)
  for (const {from, inputs, name, to} of resolveTargets(settings.targets, config)) {
    specs.set(`${name}.lora_A`, {
      initial: (random) => uniform(rank * inputs, 1 / Math.sqrt(inputs), random),
      shape: [rank, inputs],
    })
    specs.set(`${name}.lora_B`, {initial: () => new Float32Array((to - from) * rank), shape: [to - from, rank]})
  }
  return specs
}

/** The convolution's update is added to its weight, and an embedding is looked up: there are no inputs to drop. */
function refuseDeadDropout({dropout, targets}: LoraSettings, config: MambaConfig): void {
  const dead = resolveTargets(targets, config).find(({kind}) => kind === 'conv' || kind === 'embedding')
  if (dropout === 0 || !dead) return
  const name = dead.kind === 'conv' ? 'conv1d' : 'embeddings'
  throw new RecipeError(`Dropout has no effect on ${name}.`, {
    faults: [{message: `is ${dropout}, but a target is ${name}, whose update has no dropout`, where: 'dropout'}],
    hint: `Give ${name} an entry of its own with dropout: 0.`,
  })
}

function wrap(settings: LoraSettings, {config, dropout, parameters: values}: Attachment, base: Sites): Sites {
  const scale = loraScale(settings)
  const byModule = new Map<string, AdaptableSite[]>()
  for (const site of resolveTargets(settings.targets, config)) {
    byModule.set(site.module, [...(byModule.get(site.module) ?? []), site])
  }
  const matrix = (name: string): tf.Tensor2D => values.get(name) as tf.Tensor2D
  const termsOf = (sites: readonly AdaptableSite[], dropped: tf.Tensor3D | null = null): LowRankTerm[] =>
    sites.map(({from, name, to}) => ({
      down: matrix(`${name}.lora_A`),
      dropped,
      from,
      scale,
      to,
      up: matrix(`${name}.lora_B`),
    }))
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
      const update = tf.matMul(matrix(`${site.name}.lora_B`), matrix(`${site.name}.lora_A`)) // (E, K)
      return tf.add(plain, tf.reshape(tf.mul(update, scale), plain.shape)) // (E, 1, K)
    },
  }
}

/** Zeroes a share of the values and scales the rest up, so that the expectation stays. */
function dropInputs(x: tf.Tensor3D, share: number, random: RandomStream): tf.Tensor3D {
  const keep = Float32Array.from({length: x.size}, () => (random.uniform() < share ? 0 : 1 / (1 - share)))
  return tf.mul(x, tf.tensor(keep, x.shape)) // (B, L, in)
}

function steps(
  settings: LoraSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const scale = loraScale(settings)
  const {rank} = settings
  const result = new Map<string, MergeStep>()
  for (const site of resolveTargets(settings.targets, config)) {
    const down = values.get(`${site.name}.lora_A`)?.values ?? new Float32Array()
    const up = values.get(`${site.name}.lora_B`)?.values ?? new Float32Array()
    const tensor = tensorOf(site, config)
    const earlier = result.get(tensor)
    result.set(tensor, (weight) => {
      earlier?.(weight)
      addProduct(weight, site, up, down, rank, scale)
    })
  }
  return result
}

/** weight[from:to] += scale · up down, each sum over the rank in f64. */
function addProduct(
  weight: Float32Array,
  {from, inputs, to}: AdaptableSite,
  up: Float32Array, // (to − from, r)
  down: Float32Array, // (r, in)
  rank: number,
  scale: number,
): void {
  const row = new Float64Array(inputs)
  for (let out = 0; out < to - from; out++) {
    row.fill(0)
    for (let k = 0; k < rank; k++) {
      const factor = up[out * rank + k]
      for (let i = 0; i < inputs; i++) row[i] += factor * down[k * inputs + i]
    }
    const at = (from + out) * inputs
    for (let i = 0; i < inputs; i++) weight[at + i] += scale * row[i]
  }
}

export const lora: Method<LoraSettings> = {merge: {steps}, name: 'lora', parameters, wrap}
