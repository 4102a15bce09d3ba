/** What the operations of one layer hold on the processor, counted from the mixers: numbers, not bytes. */
import {type Mamba1Config, type MambaConfig} from '../model/config.js'
import {type Mamba2Config} from '../model/mamba2-config.js'
import {convChannels, stateShape} from '../model/parameters.js'
import {channelGroup} from '../ops/channel-group.js'
import {headParts} from '../ops/ssd-scan/head-parts.js'
import {sizeOf} from './memory-shape.js'

export interface LayerNumbers {
  /** Results, until the forward pass is over; for each position */
  readonly results: number
  /** Copies of what operations read, until the backward pass is over; for each position */
  readonly copies: number
  readonly gradients: number
  /** The state of the scan, for each sequence */
  readonly state: number
  /** Gradients of its size */
  readonly stateGradients: number
}

export function layerNumbers(config: MambaConfig): LayerNumbers {
  const state = sizeOf(stateShape(config))
  return config.architecture === 'mamba2'
    ? {...mamba2Numbers(config), state, stateGradients: state} // of the first state
    : {...mamba1Numbers(config), state, stateGradients: 2 * state} // and of A, for each sequence
}

type StepNumbers = Pick<LayerNumbers, 'copies' | 'gradients' | 'results'>

function mamba1Numbers({hidden, inner, mixerEpsilon, states, timeStepRank}: Mamba1Config): StepNumbers {
  const narrow = timeStepRank + 2 * states
  const normed = mixerEpsilon === null ? 0 : narrow // dt, B and C under a norm of their own
  const results =
    4 * inner + // in_proj, and x and z of it
    2 * narrow + // x_proj, and dt, B and C of it
    normed +
    3 * inner + // u, Δ and y
    3 * hidden // out_proj, the residual stream after it, and its norm
  const copies =
    4 * hidden + // what norm, in_proj and the addition read
    3 * inner + // what the first split and the convolution read
    narrow + // what the second split reads
    normed + // what the norms read
    timeStepRank + // what dt_proj reads
    inner + // what x_proj reads
    3 * inner + // u, Δ and z, which the scan reads
    2 * states + // and B and C
    inner // what out_proj reads
  const gradients =
    4 * hidden + // of the addition, the norm and in_proj
    2 * inner + // of y and x
    2 * inner + // of Δ and z
    2 * inner + // of u from x_proj, and all of it
    2 * inner + // of in_proj's result
    2 * (channelGroup(inner).groups + 1) * states + // of B and C, for each group of channels and added
    timeStepRank +
    narrow +
    normed
  return {copies, gradients, results}
}

function mamba2Numbers(config: Mamba2Config): StepNumbers {
  const {groups, heads, hidden, inner, states} = config
  const convolved = convChannels(config)
  const projected = inner + convolved + heads
  const results =
    2 * projected + // in_proj, and z, xBC and dt of it
    2 * convolved + // the convolution, and x, B and C of it
    heads + // dt and its bias
    2 * inner + // y, and its norm
    3 * hidden // out_proj, the residual stream after it, and its norm
  const copies =
    4 * hidden + // what norm, in_proj and the addition read
    projected + // what the first split reads
    2 * convolved + // what the convolution and the second split read
    2 * heads + // dt, and Δ, which the scan reads
    convolved + // and x, B and C
    2 * inner + // y and z, which the norm reads
    inner // what out_proj reads
  const gradients =
    4 * hidden + // of the addition, the norm and in_proj
    3 * inner + // of the norm's result, and of y and z
    inner + // of x
    2 * (headParts(heads, groups).parts + 1) * groups * states + // of B and C, for each part of the heads and added
    2 * convolved + // of the convolution's result and of its input
    2 * heads + // of Δ and dt
    projected // of in_proj's result
  return {copies, gradients, results}
}
