/**
 * The seam between model and adapters. The model asks its sites for every projection, convolution, scan and plain
 * parameter; it has no notion of an adapter. Adapters implement sites around other sites.
 */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear, type LowRankUpdate} from '../ops/adapted-linear/adapted-linear.js'
import {columnGain} from '../ops/column-gain/column-gain.js'
import {type ConvInputs, type ConvOutputs} from '../ops/causal-conv/causal-conv.js'
import {checkpointName, EMBEDDINGS, HEAD} from './parameters.js'
import {type Matrix, type Weights} from './weights.js'

/**
 * A low-rank update of some outputs of a projection: y[…, from:to] += scale · (dropout(x) Aᵀ) Bᵀ. With a gain g these rows
 * become g ⊙ (x Wᵀ + update) instead, and the bias is added after it; what other terms add is not scaled.
 */
export interface LowRankTerm {
  readonly down: tf.Tensor2D // A (r, in)
  readonly up: tf.Tensor2D // B (to − from, r)
  readonly scale: number
  readonly from: number
  readonly to: number
  /** x after dropout, of x's shape; null is x itself */
  readonly dropped: tf.Tensor3D | null
  readonly gain?: tf.Tensor1D | null // g (to − from)
}

/** What the scans of all architectures are given. */
export interface AnyScanInputs {
  readonly a: tf.Tensor // (E, N), in Mamba-2 (H)
  readonly b: tf.Tensor3D // (B, L, N), in Mamba-2 (B, L, GN)
  readonly c: tf.Tensor3D // as b
  readonly delta: tf.Tensor3D // (B, L, ·)
  readonly h0: tf.Tensor | null // (B, …)
  /** Of Mamba-1 alone: what goes in, and the gate */
  readonly u?: tf.Tensor3D // (B, L, E)
  readonly z?: tf.Tensor3D // (B, L, E)
}

/** What they return. */
export interface AnyScanOutputs {
  readonly y: tf.Tensor3D // (B, L, E), in Mamba-1 gated
  readonly last: tf.Tensor // (B, …)
}

/** The matrix of the head (V, d), and low-rank terms that act on the logits beside it. */
export interface Head extends Matrix {
  readonly terms: readonly LowRankTerm[]
}

/** What they all make. */
export interface AnyScanOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
}

export interface Sites {
  /** Low-rank terms of the embedding's table (V, d), of which rows are taken. */
  embeddingTerms(): readonly LowRankTerm[]
  /** What logits are made with of hidden (B, L, d). */
  head(hidden: tf.Tensor3D): Head
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
  /** A parameter by its checkpoint name (A_log, D, conv1d.weight, a bias, a norm, the embedding's table) on its way into the forward pass. */
  parameter(name: string, value: tf.Tensor): tf.Tensor
}

/** Full tensors that stand in for those of the checkpoint, by name. */
export type Replaced = ReadonlyMap<string, tf.Tensor>

/**
 * The sites of the bare model, or of one with some tensors replaced. A replaced embedding is that of the input only; the
 * head, tied or not, is replaced by its own name.
 */
export function baseSites(weights: Weights, replaced: Replaced = new Map()): Sites {
  const matrixOf = (name: string): Matrix => {
    const own = replaced.get(name)
    return own ? {transposed: null, weight: own as tf.Tensor2D} : weights.matrix(name)
  }
  return {
    embeddingTerms: () => [],
    head() {
      const own = weights.has(HEAD) || replaced.has(HEAD)
      return {...(own ? matrixOf(HEAD) : weights.matrix(EMBEDDINGS)), terms: []}
    },
    conv: (_layer, inputs, run) => run(inputs),
    linear(name, x, terms = []) {
      const {transposed, weight} = matrixOf(checkpointName(name, 'weight'))
      const biasName = checkpointName(name, 'bias')
      const bias = weights.has(biasName) ? ((replaced.get(biasName) ?? weights.get(biasName)) as tf.Tensor1D) : null
      return productWith({transposed, weight}, bias, x, terms)
    },
    parameter: (name, value) => replaced.get(name) ?? value,
    scan: (_layer, inputs, run) => run(inputs),
  }
}

/** x Wᵀ + bias and the terms: (B, L, in) → (B, L, out). */
export function productWith(
  {transposed, weight}: Matrix,
  bias: tf.Tensor1D | null,
  x: tf.Tensor3D,
  terms: readonly LowRankTerm[],
): tf.Tensor3D {
  if (terms.some(({gain}) => gain)) return gainedLinear({transposed, weight}, bias, x, terms)
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
}

/**
 * y + what the terms add: for sites that change what a projection reads or makes, which updates around them do not see.
 * `below` is the projection without that change; a term with a gain adds what it makes of it, g ⊙ (x Wᵀ + update) − x Wᵀ.
 */
export function addTerms(
  y: tf.Tensor3D,
  x: tf.Tensor3D,
  terms: readonly LowRankTerm[],
  below: (terms: readonly LowRankTerm[]) => tf.Tensor3D,
): tf.Tensor3D {
  const gained = terms.filter(({gain}) => gain)
  const scaled = gained.length === 0 ? y : tf.add<tf.Tensor3D>(y, tf.sub(below(gained), below([])))
  return addUpdates(
    scaled,
    x,
    stackTerms(
      terms.filter(({gain}) => !gain),
      y.shape[2],
    ),
  ) // (B, L, out)
}

function addUpdates(y: tf.Tensor3D, x: tf.Tensor3D, updates: readonly LowRankUpdate[]): tf.Tensor3D {
  return updates.reduce((sum, update) => tf.add(sum, lowRank(update, x)), y)
}

/** All terms as one B (out, R) and what it is multiplied by, s x′ Aᵀ (B, L, R). There is one term at least. */
export function stackedUpdate(
  terms: readonly LowRankTerm[],
  x: tf.Tensor3D,
  outputs: number,
): {readonly inner: tf.Tensor3D; readonly up: tf.Tensor2D} {
  const updates = stackTerms(terms, outputs)
  const inner = updates.map((update) => tf.mul<tf.Tensor3D>(downOf(update, x), update.scale ?? 1))
  return {
    inner: tf.concat3d(inner, 2),
    up: concatenate(
      updates.map(({up}) => up),
      1,
    ),
  }
}

const plain = {bias: null, update: null, weightTransposed: null}

/** x′ Aᵀ (B, L, R): what an update makes of its input. */
function downOf({down, x: dropped}: LowRankUpdate, x: tf.Tensor3D): tf.Tensor3D {
  return adaptedLinear<tf.Tensor3D>({...plain, weight: down, x: dropped ?? x}) // (B, L, R)
}

/**
 * A projection where terms have gains. Gains of different rows go into one product, g ⊙ (x Wᵀ + update); each further one of
 * the same rows adds g ⊙ (x Wᵀ + update) − x Wᵀ, and terms without a gain come on top.
 */
function gainedLinear(
  {transposed, weight}: Matrix,
  bias: tf.Tensor1D | null,
  x: tf.Tensor3D,
  terms: readonly LowRankTerm[],
): tf.Tensor3D {
  const [outputs] = weight.shape
  const frozen = !(weight instanceof tf.Variable)
  const bare = {bias: null, frozen, weight, weightTransposed: transposed, x}
  const gained = (group: readonly LowRankTerm[]): tf.Tensor3D => {
    const z = adaptedLinear<tf.Tensor3D>({...bare, update: stackTerms(group, outputs)[0]}) // (B, L, out)
    const gains = group.map(({from, gain, to}) => tf.pad1d(gain as tf.Tensor1D, [from, outputs - to], 1)) // (out)
    return columnGain(z, gains.length === 1 ? gains[0] : gains.reduce((product, gain) => tf.mul(product, gain)))
  }
  const [first, ...further] = disjointGroups(terms.filter(({gain}) => gain))
  let y = gained(first) // (B, L, out)
  for (const group of further) {
    y = tf.add(y, tf.sub<tf.Tensor3D>(gained(group), adaptedLinear<tf.Tensor3D>({...bare, update: null})))
  }
  if (bias) y = tf.add(y, bias)
  const others = stackTerms(
    terms.filter(({gain}) => !gain),
    outputs,
  )
  return addUpdates(y, x, others)
}

/** Terms in groups that share x′ and no rows. */
function disjointGroups(terms: readonly LowRankTerm[]): LowRankTerm[][] {
  const groups: LowRankTerm[][] = []
  for (const term of terms) {
    const fits = (group: LowRankTerm[]): boolean =>
      group.every(({dropped, from, to}) => dropped === term.dropped && (to <= term.from || term.to <= from))
    const group = groups.find(fits)
    if (group) group.push(term)
    else groups.push([term])
  }
  return groups
}

/** (x′ Aᵀ) Bᵀ alone: the down product as a linear layer, the up product as another. */
function lowRank(update: LowRankUpdate, x: tf.Tensor3D): tf.Tensor3D {
  const {scale = 1, up} = update
  const inner = downOf(update, x) // (B, L, R)
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
