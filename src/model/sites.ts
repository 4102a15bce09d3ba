/**
 * The seam between model and adapters. The model asks its sites for every projection, convolution, scan and plain
 * parameter; it has no notion of an adapter. Adapters implement sites around other sites.
 */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear, type LowRankUpdate} from '../ops/adapted-linear/adapted-linear.js'
import {type ConvInputs, type ConvOutputs} from '../ops/causal-conv/causal-conv.js'
import {checkpointName} from './parameters.js'
import {type Weights} from './weights.js'

/** A low-rank update of some outputs of a projection: y[…, from:to] += scale · (dropout(x) Aᵀ) Bᵀ. */
export interface LowRankTerm {
  readonly down: tf.Tensor2D // A (r, in)
  readonly up: tf.Tensor2D // B (to − from, r)
  readonly scale: number
  readonly from: number
  readonly to: number
  /** x after dropout, of x's shape; null is x itself */
  readonly dropped: tf.Tensor3D | null
}

/** What the scans of all architectures are given. */
export interface AnyScanInputs {
  readonly delta: tf.Tensor3D // (B, L, ·)
  readonly h0: tf.Tensor | null // (B, …)
}

/** What they all make. */
export interface AnyScanOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
}

export interface Sites {
  /** One projection, e.g. 'layers.3.mixer.x_proj', bias included: (B, L, in) → (B, L, out). */
  linear(name: string, x: tf.Tensor3D, terms?: readonly LowRankTerm[]): tf.Tensor3D
  /** One layer's convolution. inputs.window is null at the start of a sequence. */
  conv(layer: number, inputs: ConvInputs, run: (inputs: ConvInputs) => ConvOutputs): ConvOutputs
  /** One layer's scan. inputs.h0 is null at the start of a sequence. */
  scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
    layer: number,
    inputs: Inputs,
    run: (inputs: Inputs) => Outputs,
  ): Outputs
  /** A parameter by its checkpoint name (A_log, D, conv1d.weight, its bias, a norm, the embedding, the head) on its way into the forward pass. */
  parameter(name: string, value: tf.Tensor): tf.Tensor
}

/** The sites of the bare model. */
export function baseSites(weights: Weights): Sites {
  return {
    conv: (_layer, inputs, run) => run(inputs),
    linear(name, x, terms = []) {
      const {transposed, weight} = weights.matrix(checkpointName(name, 'weight'))
      const biasName = checkpointName(name, 'bias')
      const bias = weights.has(biasName) ? (weights.get(biasName) as tf.Tensor1D) : null
      const [first = null, ...others] = stackTerms(terms, weight.shape[0])
      const y = adaptedLinear<tf.Tensor3D>({
        bias,
        frozen: !(weight instanceof tf.Variable),
        update: first,
        weight,
        weightTransposed: transposed,
        x,
      })
      // Updates with dropout of their own cannot share one product with the rest.
      return addUpdates(y, x, others)
    },
    parameter: (_name, value) => value,
    scan: (_layer, inputs, run) => run(inputs),
  }
}

/** y + the terms of x: for sites that change what a projection reads or makes, which updates around them do not see. */
export function addTerms(y: tf.Tensor3D, x: tf.Tensor3D, terms: readonly LowRankTerm[]): tf.Tensor3D {
  return addUpdates(y, x, stackTerms(terms, y.shape[2])) // (B, L, out)
}

function addUpdates(y: tf.Tensor3D, x: tf.Tensor3D, updates: readonly LowRankUpdate[]): tf.Tensor3D {
  return updates.reduce((sum, update) => tf.add(sum, lowRank(update, x)), y)
}

/** (x′ Aᵀ) Bᵀ alone: the down product as a linear layer, the up product as another. */
function lowRank({down, scale = 1, up, x: dropped}: LowRankUpdate, x: tf.Tensor3D): tf.Tensor3D {
  const plain = {bias: null, update: null, weightTransposed: null}
  const inner = adaptedLinear<tf.Tensor3D>({...plain, weight: down, x: dropped ?? x}) // (B, L, R)
  return adaptedLinear<tf.Tensor3D>({...plain, weight: scale === 1 ? up : tf.mul(up, scale), x: inner}) // (B, L, out)
}

/**
 * Terms that read the same x become one: A stacked along the rank, B placed at its rows. A scale that they share stays
 * apart; else each B is scaled by its own.
 */
function stackTerms(terms: readonly LowRankTerm[], outputs: number): LowRankUpdate[] {
  const groups = new Map<tf.Tensor3D | null, LowRankTerm[]>()
  for (const term of terms) groups.set(term.dropped, [...(groups.get(term.dropped) ?? []), term])
  return [...groups].map(([x, group]) => stack(x, group, outputs))
}

function stack(x: tf.Tensor3D | null, group: readonly LowRankTerm[], outputs: number): LowRankUpdate {
  const shared = group.every(({scale}) => scale === group[0].scale) ? group[0].scale : null
  return {
    down: concatenate(
      group.map(({down}) => down),
      0,
    ), // (R, in)
    up: concatenate(
      group.map((term) => placed(shared === null ? term : {...term, scale: 1}, outputs)),
      1,
    ), // (out, R)
    scale: shared ?? 1,
    x,
  }
}

function concatenate(parts: tf.Tensor2D[], axis: 0 | 1): tf.Tensor2D {
  return parts.length === 1 ? parts[0] : tf.concat2d(parts, axis)
}

function placed({from, scale, to, up}: LowRankTerm, outputs: number): tf.Tensor2D {
  const scaled = scale === 1 ? up : tf.mul<tf.Tensor2D>(up, scale)
  if (from === 0 && to === outputs) return scaled
  return tf.pad2d(scaled, [
    [from, outputs - to],
    [0, 0],
  ]) // (out, r)
}
