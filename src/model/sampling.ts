/**
 * The next token from logits: temperature, then top-k, then top-p (Holtzman et al., arXiv 1904.09751), in the order that
 * transformers applies them. Temperature 0 is greedy: the largest logit, the smallest id among equals.
 */
import {NumericError} from '../errors.js'
import {type RandomStream} from '../data/random.js'

export interface Sampling {
  readonly temperature: number
  /** Only the k most probable tokens; null is all. */
  readonly topK: number | null
  /** The smallest set of most probable tokens with at least this probability; 1 is all. */
  readonly topP: number
  /** Makes tokens that were there before less probable: see repetition.ts. Absent or 1: no penalty. */
  readonly repetitionPenalty?: number
}

/** logits (V) → a token id. Errors: NumericError when a logit is NaN or the largest is infinite. */
export function chooseToken(logits: Float32Array, {temperature, topK, topP}: Sampling, random: RandomStream): number {
  const best = argmax(logits)
  if (!Number.isFinite(logits[best])) throw new NumericError('The model produced logits that are not finite.')
  if (temperature === 0) return best
  const maximum = logits[best]
  let candidates = Array.from(logits, (logit, id) => ({id, weight: Math.exp((logit - maximum) / temperature)}))
  if (topK !== null || topP < 1) {
    candidates.sort((a, b) => b.weight - a.weight || a.id - b.id)
    if (topK !== null) candidates = candidates.slice(0, topK)
    if (topP < 1) candidates = nucleus(candidates, topP)
  }
  let remaining = random.uniform() * total(candidates)
  for (const {id, weight} of candidates) {
    remaining -= weight
    if (remaining < 0) return id
  }
  return candidates[candidates.length - 1].id
}

interface Candidate {
  readonly id: number
  readonly weight: number
}

function nucleus(sorted: Candidate[], topP: number): Candidate[] {
  const enough = topP * total(sorted)
  let sum = 0
  const end = sorted.findIndex(({weight}) => (sum += weight) >= enough)
  return end < 0 ? sorted : sorted.slice(0, end + 1)
}

function total(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, {weight}) => sum + weight, 0)
}

/** The first of the largest values; a NaN counts as the largest, so that it cannot go unnoticed. */
function argmax(values: Float32Array): number {
  let best = 0
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) return i
    if (values[i] > values[best]) best = i
  }
  return best
}
