/**
 * LoRA:  y = W x + s B A x,  s = α / r, or α / √r with rslora.
 * Hu et al., arXiv 2106.09685, equation 3; Kalajdzievski, arXiv 2312.03732, for √r. A starts as U(±1/√in) and B as zero,
 * as Hugging Face PEFT starts them, so a fresh adapter changes nothing. With `dora` the rows of the result have lengths of
 * their own (dora.ts), with `init: pissa` A and B start as a part of W (pissa.ts), and with `lora_plus` B, and what else is
 * no A, learns faster: Hayou et al., arXiv 2402.12354.
 *
 * On a slice of a projection the update touches that slice's rows only. We differ from PEFT in that every projection trains,
 * dt_proj and out_proj included: the model has no path around its sites.
 *
 * On the embedding, whose weight (V, d) is a table, B has a row for each token: h = W[id] + s B[id] A. In PEFT's files the
 * same two factors lie the other way round. Where embedding and head are tied the target `embeddings` is both uses.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {doraGain, firstMagnitudes} from './dora.js'
import {plainFactors} from './lora-factors.js'
import {loraScale, type LoraSettings} from './lora-settings.js'
import {mergeFactors} from './low-rank-merge.js'
import {type LowRankFactors, lowRankSites, refuseDeadDropout} from './low-rank-sites.js'
import {type Attachment, type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {pissaFactors, pissaSpecs} from './pissa.js'
import {type AdaptableSite, isTable, tensorOf} from './sites-of.js'
import {resolveTargets} from './targets.js'

function uniform(count: number, bound: number, random: RandomStream): Float32Array {
  return Float32Array.from({length: count}, () => (2 * random.uniform() - 1) * bound)
}

function parameters(settings: LoraSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const specs = new Map<string, ParameterSpec>()
  refuseDeadDropout(settings, config)
  const sites = resolveTargets(settings.targets, config)
  if (settings.dora) refuseDoraOnTables(sites)
  for (const site of sites) {
    for (const [name, spec] of siteSpecs(settings, site)) {
      const isFaster = !name.endsWith('.lora_A') && !spec.frozen
      const {lora_plus: learningRate} = settings
      specs.set(name, isFaster && learningRate !== undefined ? {...spec, rates: {learningRate}} : spec)
    }
  }
  return specs
}

/** A table is looked up and its products are summed into a loss: there are no rows of a result to scale. */
function refuseDoraOnTables(sites: readonly AdaptableSite[]): void {
  const table = sites.find(isTable)
  if (!table) return
  throw new RecipeError(`DoRA cannot adapt ${table.name}.`, {
    faults: [{message: `is true, but a target is ${table.name}`, where: 'dora'}],
    hint: `Give ${table.name} an entry of its own without dora.`,
  })
}

function siteSpecs(settings: LoraSettings, site: AdaptableSite): [string, ParameterSpec][] {
  const {from, inputs, name, to} = site
  const {dora, init, rank} = settings
  const plain = (): [string, ParameterSpec][] => [
    [
      `${name}.lora_A`,
      {initial: (random) => uniform(rank * inputs, 1 / Math.sqrt(inputs), random), shape: [rank, inputs]},
    ],
    [`${name}.lora_B`, {initial: () => new Float32Array((to - from) * rank), shape: [to - from, rank]}],
  ]
  const factors = init === 'pissa' ? pissaSpecs(site, rank, loraScale(settings)) : plain()
  if (!dora) return factors
  const magnitudes: ParameterSpec = {
    initial(_, base) {
      if (!base) throw new Error(`The first magnitudes of ${name} are lengths of the base's rows.`)
      return firstMagnitudes(site, base)
    },
    shape: [to - from],
  }
  return [...factors, [`${name}.lora_magnitude_vector`, magnitudes]]
}

function wrap(settings: LoraSettings, attachment: Attachment, base: Sites): Sites {
  return lowRankSites(settings, attachment, base, (site) => factorsOf(settings, attachment, site))
}

function factorsOf(
  {dora, init, ...settings}: LoraSettings,
  {kept, parameters: values, settled, weights}: Attachment,
  site: AdaptableSite,
): LowRankFactors {
  const scale = loraScale(settings)
  const tensor = <T extends tf.Tensor>(name: string): T => values.get(`${site.name}.${name}`) as T
  const pissa = init === 'pissa'
  const down = pissa
    ? settled(`${site.name} A`, () => pissaFactors(tensor).down) // (2r, in)
    : tensor<tf.Tensor2D>('lora_A') // (r, in)
  const up = pissa
    ? settled(`${site.name} B`, () => pissaFactors(tensor).up) // (rows, 2r)
    : tensor<tf.Tensor2D>('lora_B') // (rows, r)
  const gain = (): tf.Tensor1D =>
    doraGain(tensor<tf.Tensor1D>('lora_magnitude_vector'), {down, scale, up}, site, {kept, weights})
  return {down, gain: dora ? settled(`${site.name} gain`, gain) : null, scale, up}
}

function steps(
  settings: LoraSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const result = new Map<string, MergeStep>()
  for (const site of resolveTargets(settings.targets, config)) {
    const tensor = (name: string): ParameterValues => values.get(`${site.name}.${name}`) as ParameterValues
    const first = settings.init === 'pissa' ? {down: tensor('pissa_A'), up: tensor('pissa_B')} : null
    const {down, up} = plainFactors({down: tensor('lora_A'), first, up: tensor('lora_B')})
    const factors = {
      down: down.values,
      magnitudes: settings.dora ? tensor('lora_magnitude_vector').values : null,
      rank: down.shape[0],
      scale: loraScale(settings),
      up: up.values,
    }
    const name = tensorOf(site, config)
    const earlier = result.get(name)
    result.set(name, (weight, base) => {
      earlier?.(weight, base)
      mergeFactors(weight, base, site, factors)
    })
  }
  return result
}

export const lora: Method<LoraSettings> = {merge: {steps}, name: 'lora', parameters, wrap}
