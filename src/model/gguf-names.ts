/**
 * Tensors of a checkpoint under the names, and in the shapes, that llama.cpp has for its architectures `mamba` (Falcon-Mamba included)
 * and `mamba2`. https://github.com/ggml-org/llama.cpp/tree/master/src/models
 */
import {type MambaConfig} from './config.js'
import {EMBEDDINGS, FINAL_NORM, HEAD} from './parameters.js'

export interface GgufPlace {
  readonly name: string
  readonly shape: readonly number[]
  /** A matrix that is only multiplied by, or that rows are taken from: it may be stored in any number format. */
  readonly matrix: boolean
  /** The values are −exp of the checkpoint's. */
  readonly decay: boolean
}

/** 'layers.3.mixer.x_proj' → 'blk.3.ssm_x' for what a low-rank update may act on in llama.cpp */
const MODULES: Readonly<Record<string, string>> = {
  dt_proj: 'ssm_dt',
  in_proj: 'ssm_in',
  out_proj: 'ssm_out',
  x_proj: 'ssm_x',
}

const OTHERS: Readonly<Record<string, string>> = {
  'mixer.A_log': 'ssm_a',
  'mixer.D': 'ssm_d',
  'mixer.conv1d.bias': 'ssm_conv1d.bias',
  'mixer.conv1d.weight': 'ssm_conv1d.weight',
  'mixer.dt_bias': 'ssm_dt.bias',
  'mixer.dt_proj.bias': 'ssm_dt.bias',
  'mixer.norm.weight': 'ssm_norm.weight',
  'norm.weight': 'attn_norm.weight',
}

const OUTER: Readonly<Record<string, string>> = {
  [EMBEDDINGS]: 'token_embd.weight',
  [FINAL_NORM]: 'output_norm.weight',
  [HEAD]: 'output.weight',
}

/** The name of a projection's weight, or null for modules that llama.cpp puts no update on. */
export function ggufModule(module: string): string | null {
  const [, layer, projection] = /^layers\.(\d+)\.mixer\.(\w+)$/.exec(module) ?? []
  return projection !== undefined && Object.hasOwn(MODULES, projection)
    ? `blk.${layer}.${MODULES[projection]}.weight`
    : null
}

/** Where a tensor of this name and shape goes; null if it has no place. */
export function ggufPlace(name: string, shape: readonly number[], config: MambaConfig): GgufPlace | null {
  const matrix = {decay: false, matrix: true, shape}
  if (Object.hasOwn(OUTER, name)) return {...matrix, matrix: name !== FINAL_NORM, name: OUTER[name]}
  const [, layer, rest] = /^backbone\.layers\.(\d+)\.(.+)$/.exec(name) ?? []
  if (rest === undefined) return null
  const weight = rest.startsWith('mixer.') && rest.endsWith('.weight') ? ggufModule(name.slice(9, -7)) : null
  if (weight !== null) return {...matrix, name: weight}
  if (!Object.hasOwn(OTHERS, rest)) return null
  return {
    decay: rest === 'mixer.A_log',
    matrix: false,
    name: `blk.${layer}.${OTHERS[rest]}`,
    shape: shapeOf(rest, shape, config),
  }
}

/** The convolution without the axis of length 1; in Mamba-2 A and D with one, and the norm by groups. */
function shapeOf(rest: string, shape: readonly number[], config: MambaConfig): readonly number[] {
  if (rest === 'mixer.conv1d.weight') return [shape[0], shape[2]] // (channels, K)
  if (config.architecture !== 'mamba2') return shape
  if (rest === 'mixer.A_log' || rest === 'mixer.D') return [shape[0], 1] // (H, 1)
  return rest === 'mixer.norm.weight' ? [config.groups, shape[0] / config.groups] : shape // (G, E / G)
}
