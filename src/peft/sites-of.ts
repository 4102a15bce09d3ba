/**
 * The places of a model that low-rank updates can be attached to: projections, slices of projections that hold several
 * inputs of the scan, the convolution, the embedding and the head. Slices are those of docs/notation.md.
 */
import {type MambaConfig} from '../model/config.js'
import {checkpointName, convChannels, EMBEDDINGS, HEAD, projections} from '../model/parameters.js'

export interface AdaptableSite {
  /** 'layers.0.mixer.x_proj', or with a slice 'layers.0.mixer.x_proj.B' */
  readonly name: string
  /** 'layers.0.mixer.x_proj' */
  readonly module: string
  readonly kind: 'linear' | 'conv' | 'embedding' | 'head'
  /** Rows of the module's weight: [from, to) */
  readonly from: number
  readonly to: number
  /** Columns of the module's weight; K for the convolution */
  readonly inputs: number
  readonly slice: string | null
}

/** Every adaptable site, layer by layer, and then the tables of V rows. */
export function adaptableSites(config: MambaConfig): readonly AdaptableSite[] {
  const layers = Array.from({length: config.layers}, (_, layer) => layerSites(config, `layers.${layer}.mixer`))
  return [...layers.flat(), ...tableSites(config)]
}

/** In a tied model `embeddings` is both uses of the table, `embeddings.input` and `lm_head` are one use each. */
function tableSites({hidden, vocabulary}: MambaConfig): AdaptableSite[] {
  const table = {from: 0, inputs: hidden, slice: null, to: vocabulary}
  return [
    {...table, kind: 'embedding', module: 'embeddings', name: 'embeddings'},
    {...table, kind: 'embedding', module: 'embeddings', name: 'embeddings.input', slice: 'input'},
    {...table, kind: 'head', module: 'lm_head', name: 'lm_head'},
  ]
}

/** The tensor of a checkpoint that a site's updates are added to. */
export function tensorOf({kind, module, slice}: AdaptableSite, {tied}: MambaConfig): string {
  if (kind === 'head') return HEAD
  if (kind === 'embedding') return tied && slice === 'input' ? INPUT_ALONE : EMBEDDINGS
  return checkpointName(module, 'weight')
}

/** Stands for the embedding of a tied model without its use as head: no tensor, until the two are untied. */
export const INPUT_ALONE = `${EMBEDDINGS} (input alone)`

function layerSites(config: MambaConfig, mixer: string): AdaptableSite[] {
  const conv: AdaptableSite = {
    from: 0,
    inputs: config.convWidth,
    kind: 'conv',
    module: `${mixer}.conv1d`,
    name: `${mixer}.conv1d`,
    slice: null,
    to: convChannels(config),
  }
  const linear = projections(config).flatMap(([projection, outputs, inputs]) => {
    const module = `${mixer}.${projection}`
    const whole: AdaptableSite = {from: 0, inputs, kind: 'linear', module, name: module, slice: null, to: outputs}
    const slices = slicesOf(config, projection).map(([slice, from, to]): AdaptableSite => ({
      ...whole,
      from,
      name: `${module}.${slice}`,
      slice,
      to,
    }))
    return [whole, ...slices]
  })
  return [...linear, conv]
}

/** Rows of a projection by the name of what they produce. */
function slicesOf(config: MambaConfig, projection: string): [string, number, number][] {
  const {inner, states} = config
  if (config.architecture === 'mamba2') {
    const {groups, heads} = config
    return projection === 'in_proj'
      ? inOrder({z: inner, x: inner, B: groups * states, C: groups * states, dt: heads})
      : []
  }
  const {timeStepRank} = config
  if (projection === 'in_proj') {
    return inOrder({x: inner, z: inner})
  }
  if (projection === 'x_proj') {
    return inOrder({dt: timeStepRank, B: states, C: states})
  }
  return []
}

/** Slices of so many rows, one behind the other. */
function inOrder(rows: Readonly<Record<string, number>>): [string, number, number][] {
  let from = 0
  return Object.entries(rows).map(([slice, count]) => [slice, from, (from += count)])
}
