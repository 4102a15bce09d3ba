/**
 * Target patterns → tensors of the model. A pattern selects a tensor by the end of its name (`D`, `conv1d.bias`), or all of a
 * module (`conv1d`: its weight and its bias), by the whole name, or by a glob; rules are those of targets.ts.
 */
import {type MambaConfig} from '../model/config.js'
import {parameterShapes} from '../model/parameters.js'
import {nearestName} from '../nearest-name.js'
import {matcher, selectAll} from './targets.js'

export interface TensorTarget {
  /** 'layers.3.mixer.conv1d.weight' */
  readonly name: string
  /** As in the checkpoint: 'backbone.layers.3.mixer.conv1d.weight' */
  readonly tensor: string
  readonly shape: readonly number[]
}

/** Tensors in the order of the checkpoint, each once. Errors: RecipeError for every pattern that selects none. */
export function resolveTensors(patterns: readonly string[], config: MambaConfig): readonly TensorTarget[] {
  const all = [...parameterShapes(config)].map(([tensor, shape]): TensorTarget => ({
    name: tensor.replace(/^backbone\./, ''),
    shape,
    tensor,
  }))
  return selectAll(
    patterns,
    all,
    (pattern) => {
      const matches = matcher(pattern)
      return all.filter(({name}) => matches({name}) || matches({name: moduleOf(name)}))
    },
    (pattern) => suggestion(pattern, all, config),
  )
}

/** 'layers.3.mixer.conv1d'; a tensor without a module of its own (A_log, D, dt_bias) stands for itself. */
function moduleOf(name: string): string {
  return name.replace(/\.(weight|bias)$/, '')
}

function suggestion(pattern: string, all: readonly TensorTarget[], {tied}: MambaConfig): string {
  if (tied && /(^|\.)lm_head(\.|$)/.test(pattern)) return 'The head of this model is its embedding: write embeddings.'
  const names = all.map(({name}) => name).filter((name) => !/^layers\.[1-9]/.test(name))
  const short = [...new Set(names.map((name) => name.replace(/^layers\.0\.(mixer\.)?/, '')))]
  const near = nearestName(pattern, [...short, ...new Set(short.map(moduleOf)), ...all.map(({name}) => name)])
  return near ? `Did you mean ${near}?` : `Tensors of this model: ${short.join(', ')}.`
}
