/** Names and shapes of every tensor of a Mamba checkpoint, as transformers' MambaForCausalLM and Mamba2ForCausalLM write them. */
import {type MambaConfig} from './config.js'

export const EMBEDDINGS = 'backbone.embeddings.weight'
export const HEAD = 'lm_head.weight'
export const FINAL_NORM = 'backbone.norm_f.weight'

/** 'layers.3.mixer.x_proj' and a parameter's name → 'backbone.layers.3.mixer.x_proj.weight'. */
export function checkpointName(site: string, parameter: string): string {
  return `backbone.${site}.${parameter}`
}

/** The projections of one layer with their sizes: [name, outputs, inputs]. */
export function projections(config: MambaConfig): readonly (readonly [string, number, number])[] {
  const {hidden, inner, states} = config
  if (config.architecture === 'mamba2') {
    return [
      ['in_proj', inner + convChannels(config) + config.heads, hidden],
      ['out_proj', hidden, inner],
    ]
  }
  const {timeStepRank} = config
  return [
    ['in_proj', 2 * inner, hidden],
    ['x_proj', timeStepRank + 2 * states, inner],
    ['dt_proj', inner, timeStepRank],
    ['out_proj', hidden, inner],
  ]
}

/** Channels of the convolution: x, and in Mamba-2 B and C behind it. */
export function convChannels(config: MambaConfig): number {
  return config.architecture === 'mamba2' ? config.inner + 2 * config.groups * config.states : config.inner
}

/** A layer's state of the scan for one sequence: (E, N), or (H, P, N). */
export function stateShape(config: MambaConfig): readonly number[] {
  const {inner, states} = config
  return config.architecture === 'mamba2' ? [config.heads, config.headSize, states] : [inner, states]
}

/** The mixer's other parameters. */
function plainParameters(config: MambaConfig): [string, readonly number[]][] {
  const {inner, states} = config
  if (config.architecture === 'mamba2') {
    const {heads} = config
    return [
      ['dt_bias', [heads]],
      ['A_log', [heads]],
      ['D', [heads]],
      ['norm.weight', [inner]],
    ]
  }
  return [
    ['dt_proj.bias', [inner]],
    ['A_log', [inner, states]],
    ['D', [inner]],
  ]
}

/** Every tensor that the checkpoint must hold. */
export function parameterShapes(config: MambaConfig): ReadonlyMap<string, readonly number[]> {
  const {convBias, convWidth, hidden, layers, projectionBias, tied, vocabulary} = config
  const shapes = new Map<string, readonly number[]>([[EMBEDDINGS, [vocabulary, hidden]]])
  for (let layer = 0; layer < layers; layer++) {
    const mixer = (name: string, shape: readonly number[]): unknown =>
      shapes.set(checkpointName(`layers.${layer}.mixer`, name), shape)
    shapes.set(checkpointName(`layers.${layer}`, 'norm.weight'), [hidden])
    for (const [name, outputs, inputs] of projections(config)) {
      mixer(`${name}.weight`, [outputs, inputs])
      if (projectionBias && (name === 'in_proj' || name === 'out_proj')) mixer(`${name}.bias`, [outputs])
    }
    mixer('conv1d.weight', [convChannels(config), 1, convWidth])
    if (convBias) mixer('conv1d.bias', [convChannels(config)])
    for (const [name, shape] of plainParameters(config)) mixer(name, shape)
  }
  shapes.set(FINAL_NORM, [hidden])
  if (!tied) shapes.set(HEAD, [vocabulary, hidden])
  return shapes
}

/** The frozen matrices: each is multiplied by, or rows are taken from it, and nothing else. */
export function matrixNames(config: MambaConfig): ReadonlySet<string> {
  const layers = Array.from({length: config.layers}, (_, layer) => `layers.${layer}.mixer`)
  const names = layers.flatMap((site) => projections(config).map(([name]) => checkpointName(site, `${name}.weight`)))
  return new Set([...names, EMBEDDINGS, ...(config.tied ? [] : [HEAD])])
}
