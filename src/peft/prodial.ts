/**
 * ProDiaL:  W′ = diag(s) W D + (α / r) B A,  D = I + blockdiag(R₁ … R_k),  s = 1 + σ.  Rⱼ, σ and B start as zero.
 *
 * Ham et al., arXiv 2411.15224, section 4. It is computed as  y = s ⊙ (W (D x)) + (α / r) B A x : neither W′ nor a diagonal
 * matrix is made, and the frozen W stays one product. We differ from the authors' code in the diagonal of D. There it is
 * 1 − relu(R_ii), whose gradient at the start, R = 0, is zero, so it never moves; here it is 1 + R_ii. And σ instead of s is
 * trained, so that weight decay pulls the projection back to W and not to zero.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type Fault, RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {checkpointName} from '../model/parameters.js'
import {addTerms, type Sites} from '../model/sites.js'
import {type LoraSettings, loraSettings} from './lora-settings.js'
import {lora} from './lora.js'
import {
  canMerge,
  type Attachment,
  type MergeStep,
  type Method,
  type ParameterSpec,
  type ParameterValues,
} from './method.js'
import {type ProdialSettings} from './prodial-settings.js'
import {type AdaptableSite} from './sites-of.js'
import {resolveTargets} from './targets.js'
import {zeros} from './zero-start.js'

const blocksName = (module: string): string => `${module}.blocks`
const scaleName = (module: string): string => `${module}.row_scale`

/** The low-rank part of it, which is a LoRA. */
export function loraOfProdial({alpha, dropout, rank, targets}: ProdialSettings): LoraSettings {
  return loraSettings.parse({alpha, dropout, method: 'lora', rank, targets})
}

function parameters(settings: ProdialSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const {blocks} = settings
  const sites = resolveTargets(settings.targets, config)
  refuse(settings, sites)
  const own = sites.flatMap(({inputs, module, to}): [string, ParameterSpec][] => [
    [blocksName(module), zeros([blocks, inputs / blocks, inputs / blocks])],
    [scaleName(module), zeros([to])],
  ])
  return new Map([...own, ...lora.parameters(loraOfProdial(settings), config)])
}

function refuse({blocks}: ProdialSettings, sites: readonly AdaptableSite[]): void {
  const faults: Fault[] = []
  const partly = new Set(
    sites
      .filter(({kind, slice}) => kind !== 'linear' || slice !== null)
      .map(({module, slice}) => shortName(module, slice)),
  )
  for (const name of partly) {
    faults.push({
      message: `is no whole projection, and only their inputs can be transformed`,
      where: `targets '${name}'`,
    })
  }
  const uneven = new Map(
    sites
      .filter(({inputs, kind}) => kind === 'linear' && inputs % blocks !== 0)
      .map(({inputs, module}) => [shortName(module, null), inputs] as const),
  )
  for (const [name, inputs] of uneven) {
    faults.push({
      message: `is ${blocks}, which does not divide the ${inputs} inputs of ${name}; expected ${divisorNear(inputs, blocks)}, say`,
      where: 'blocks',
    })
  }
  if (faults.length > 0) {
    throw new RecipeError('ProDiaL cannot be attached there.', {
      faults,
      hint: 'Take targets in_proj and out_proj; projections of other widths can have an entry of their own with other blocks.',
    })
  }
}

function shortName(module: string, slice: string | null): string {
  return [module.split('.').pop(), slice].filter((part) => part !== null).join('.')
}

/** The largest divisor up to `wanted`. */
function divisorNear(inputs: number, wanted: number): number {
  let divisor = Math.min(inputs, wanted)
  while (inputs % divisor !== 0) divisor--
  return divisor
}

function wrap(settings: ProdialSettings, attachment: Attachment, base: Sites): Sites {
  const {config, parameters: values} = attachment
  const transformed: Sites = {
    ...base,
    linear(name, x, terms = []) {
      const blocks = values.get(blocksName(name)) as tf.Tensor3D | undefined // (k, in/k, in/k)
      if (!blocks) return base.linear(name, x, terms)
      const change = values.get(scaleName(name)) as tf.Tensor1D // σ (out)
      const y = base.linear(name, tf.add(x, timesBlocks(x, blocks))) // (B, L, out)
      const scaled = tf.mul<tf.Tensor3D>(y, tf.add(change, 1)) // (B, L, out)
      const unbiased = config.projectionBias
        ? tf.sub<tf.Tensor3D>(scaled, tf.mul(biasOf(base, name, x), change))
        : scaled
      return addTerms(unbiased, x, terms, (own) => base.linear(name, x, own))
    },
  }
  return lora.wrap(loraOfProdial(settings), attachment, transformed)
}

/** What a projection makes of zero is its bias, which s must not scale. */
function biasOf(base: Sites, name: string, x: tf.Tensor3D): tf.Tensor3D {
  return base.linear(name, tf.zeros([1, 1, x.shape[2]])) // (1, 1, out)
}

/** blockdiag(R) x, for each position. */
function timesBlocks(x: tf.Tensor3D, blocks: tf.Tensor3D): tf.Tensor3D {
  const [count, width] = blocks.shape
  const parts = tf.transpose(tf.reshape(x, [-1, count, width]), [1, 0, 2]) // (k, B·L, in/k)
  const results = tf.matMul(parts, blocks, false, true) // (k, B·L, in/k)
  return tf.reshape(tf.transpose(results, [1, 0, 2]), x.shape) // (B, L, in)
}

function steps(
  settings: ProdialSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const {merge} = lora
  const lowRank = canMerge(merge) ? merge.steps(loraOfProdial(settings), config, values) : new Map<string, MergeStep>()
  return new Map(
    resolveTargets(settings.targets, config).map(({inputs, module}): [string, MergeStep] => {
      const tensor = checkpointName(module, 'weight')
      const blocks = values.get(blocksName(module))?.values ?? new Float32Array()
      const scale = values.get(scaleName(module))?.values ?? new Float32Array()
      return [
        tensor,
        (weight, before) => {
          for (const [row, change] of scale.entries()) {
            transformRow(weight.subarray(row * inputs, (row + 1) * inputs), blocks, settings.blocks, 1 + change)
          }
          lowRank.get(tensor)?.(weight, before)
        },
      ]
    }),
  )
}

/** w ← s w (I + blockdiag(R)) for one row w of W, sums in f64. */
function transformRow(row: Float32Array, blocks: Float32Array, count: number, scale: number): void {
  const width = row.length / count
  const before = Float64Array.from(row)
  for (let column = 0; column < row.length; column++) {
    const block = Math.trunc(column / width)
    let sum = before[column]
    for (let i = 0; i < width; i++) {
      sum += before[block * width + i] * blocks[(block * width + i) * width + (column % width)]
    }
    row[column] = scale * sum
  }
}

export const prodial: Method<ProdialSettings> = {merge: {steps}, name: 'prodial', parameters, wrap}
