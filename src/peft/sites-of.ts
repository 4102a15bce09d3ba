/**
 * The places of a model that low-rank updates can be attached to: projections, slices of projections that hold several
 * inputs of the scan, and the convolution. Slices are those of docs/notation.md.
 */
import {type MambaConfig} from '../model/config.js'
import {convChannels, projections} from '../model/parameters.js'

export interface AdaptableSite {
  /** 'layers.0.mixer.x_proj', or with a slice 'layers.0.mixer.x_proj.B' */
  readonly name: string
  /** 'layers.0.mixer.x_proj' */
  readonly module: string
  readonly kind: 'linear' | 'conv'
  /** Rows of the module's weight: [from, to) */
  readonly from: number
  readonly to: number
  /** Columns of the module's weight; K for the convolution */
  readonly inputs: number
  readonly slice: string | null
}

/** Every adaptable site, layer by layer. */
export function adaptableSites(config: MambaConfig): readonly AdaptableSite[] {
  return Array.from({length: config.layers}, (_, layer) => layerSites(config, `layers.${layer}.mixer`)).flat()
}

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
