/**
 * Partial tuning:  W ← W + Δ  for named tensors of the model, Δ of W's shape and zero at the start. A_log, D, norms and biases
 * alone are a few thousandths of a model; every tensor ('*') is full fine-tuning.
 *
 * BitFit: Zaken et al., arXiv 2106.10199. On Mamba: Yoshimura et al., MambaPEFT, arXiv 2411.03855 (A, D, conv1d, bias), and
 * Galim et al., arXiv 2410.09016. As in MambaPEFT Δ stands beside the frozen W; weight decay pulls Δ to zero, and so W back to
 * the base model's. A projection is x Wᵀ + x Δᵀ, so that W keeps its storage format and other adapters their products.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {type Attachment, type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {type PartialSettings} from './partial-settings.js'
import {resolveTensors} from './tensor-targets.js'
import {zeros} from './zero-start.js'

/** 'layers.3.mixer.D' → the name of its Δ. */
const deltaName = (tensor: string): string => `${tensor}.delta`

function parameters({targets}: PartialSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  return new Map(resolveTensors(targets, config).map(({name, shape}) => [deltaName(name), zeros(shape)]))
}

/** Tensors that the model asks for by name; those of projections go into the projection's result. */
function wrap(_settings: PartialSettings, {config, parameters: values}: Attachment, base: Sites): Sites {
  const deltaOf = (tensor: string): tf.Tensor | undefined => values.get(deltaName(tensor))
  return {
    ...base,
    head(hidden) {
      const below = base.head(hidden)
      const delta = deltaOf(config.tied ? 'embeddings.weight' : 'lm_head.weight') // (V, d)
      return delta ? {...below, transposed: null, weight: tf.add<tf.Tensor2D>(below.weight, delta)} : below
    },
    linear(name, x, terms) {
      const y = base.linear(name, x, terms) // (B, L, out)
      const [weight, bias] = ['weight', 'bias'].map((part) => deltaOf(`${name}.${part}`))
      if (!weight) return bias ? tf.add(y, bias) : y
      const change = adaptedLinear<tf.Tensor3D>({
        bias: (bias ?? null) as tf.Tensor1D | null,
        update: null,
        weight: weight as tf.Tensor2D,
        weightTransposed: null,
        x,
      })
      return tf.add(y, change) // (B, L, out)
    },
    parameter(name, value) {
      const plain = base.parameter(name, value)
      const delta = deltaOf(name.replace(/^backbone\./, ''))
      return delta ? tf.add(plain, delta) : plain
    },
  }
}

function steps(
  {targets}: PartialSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  return new Map(
    resolveTensors(targets, config).map(({name, tensor}): [string, MergeStep] => {
      const delta = values.get(deltaName(name))?.values ?? new Float32Array()
      return [tensor, (weight) => delta.forEach((change, index) => (weight[index] += change))]
    }),
  )
}

export const partial: Method<PartialSettings> = {merge: {steps}, name: 'partial', parameters, wrap}
