/**
 * The places of a model that low-rank updates can be attached to: projections, slices of projections that hold several
 * inputs of the scan, and the convolution. Slices are those of docs/notation.md.
 */
import {type MambaConfig} from '../model/config.js'
import {projections} from '../model/parameters.js'

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
  const {convWidth, inner} = config
  const conv: AdaptableSite = {
    from: 0,
    inputs: convWidth,
    kind: 'conv',
    module: `${mixer}.conv1d`,
    name: `${mixer}.conv1d`,
    slice: null,
    to: inner,
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
function slicesOf({inner, states, timeStepRank}: MambaConfig, projection: string): [string, number, number][] {
  if (projection === 'in_proj') {
    return [
      ['x', 0, inner],
      ['z', inner, 2 * inner],
    ]
  }
  if (projection === 'x_proj') {
    return [
      ['dt', 0, timeStepRank],
      ['B', timeStepRank, timeStepRank + states],
      ['C', timeStepRank + states, timeStepRank + 2 * states],
    ]
  }
  return []
}
