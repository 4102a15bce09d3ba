/**
 * What methods that compute beside the layers hold on the processor, counted from their sites: numbers, not bytes. Low-rank
 * updates and first states are left out: next to a layer they are small.
 */
import {type AdapterSettings} from '../peft/method-settings.js'
import {type PartialSettings} from '../peft/partial-settings.js'
import {resolveTargets} from '../peft/targets.js'
import {resolveTensors, type TensorTarget} from '../peft/tensor-targets.js'
import {sizeOf, type StepShape, sum} from './memory-shape.js'

export interface AdapterNumbers {
  /** In all layers, for each position: as in memory-cpu-layer.ts */
  readonly results: number
  readonly copies: number
  readonly gradients: number
  /** Copies of trained tensors and of what is made of them, in all layers */
  readonly tensors: number
  /** The same of embedding and head */
  readonly vocabulary: number
}

const NOTHING: AdapterNumbers = {copies: 0, gradients: 0, results: 0, tensors: 0, vocabulary: 0}

export function adapterNumbers({adapters, config}: Pick<StepShape, 'adapters' | 'config'>): AdapterNumbers {
  return adapters.map((settings) => numbersOf(settings, config)).reduce(added, NOTHING)
}

function added(left: AdapterNumbers, right: AdapterNumbers): AdapterNumbers {
  return {
    copies: left.copies + right.copies,
    gradients: left.gradients + right.gradients,
    results: left.results + right.results,
    tensors: left.tensors + right.tensors,
    vocabulary: left.vocabulary + right.vocabulary,
  }
}

function numbersOf(settings: AdapterSettings, config: StepShape['config']): AdapterNumbers {
  const {inner, layers, states} = config
  switch (settings.method) {
    case 'partial':
      return partialNumbers(settings, config)
    case 'delta-scale': {
      const isMamba1 = config.architecture === 'mamba'
      // What out_proj reads, or y; and A_log on its way to A
      const scaled = layers * inner * (isMamba1 ? 1 : 2)
      return {...NOTHING, copies: scaled, results: scaled, tensors: isMamba1 ? 10 * layers * inner * states : 0}
    }
    case 'prodial': {
      const sites = resolveTargets(settings.targets, config)
      const inputs = sum(sites.map((site) => site.inputs))
      const outputs = sum(sites.map((site) => site.to))
      return {
        ...NOTHING,
        copies: 4 * inputs + 3 * outputs, // blocks and LoRA read x, sums both terms, factors y
        gradients: 5 * inputs + 2 * outputs,
        results: 4 * inputs + 3 * outputs,
      }
    }
    case 'additional-scan':
    case 'full-values':
    case 'initial-state':
    case 'lora':
    case 'sparse-dimension':
    case 'state-offset':
    case 'vera':
      return NOTHING // what of these counts is in memory-adapters.ts and memory-cpu-state.ts
  }
}

function partialNumbers({targets}: PartialSettings, config: StepShape['config']): AdapterNumbers {
  const tensors = resolveTensors(targets, config)
  return tensors.map((target) => tensorNumbers(target, config)).reduce(added, NOTHING)
}

function tensorNumbers({name, shape}: TensorTarget, {tied}: StepShape['config']): AdapterNumbers {
  const size = sizeOf(shape)
  // W + Δ for each use, and copies of what they are made of
  if (/^(embeddings|lm_head)\./.test(name)) return {...NOTHING, vocabulary: (tied ? 5 : 3) * size}
  if (/_proj\.weight$/.test(name)) {
    const [outputs, inputs] = shape
    return {...NOTHING, copies: inputs + 2 * outputs, gradients: inputs, results: 2 * outputs, tensors: size}
  }
  if (/_proj\.bias$/.test(name)) return {...NOTHING, copies: size, results: size}
  return {...NOTHING, tensors: 4 * size}
}
