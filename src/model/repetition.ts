/**
 * A penalty θ on tokens that were there before (Keskar et al., arXiv 1909.05858), as transformers applies it: of such a token
 *
 *   logit ← logit / θ  where it is positive,  logit · θ  where it is negative
 *
 * It comes before temperature and the choice of the most probable.
 */

/** logits (V) → logits (V); the same array where there is nothing to do. */
export function penalised(logits: Float32Array, seen: Iterable<number>, penalty = 1): Float32Array {
  if (penalty === 1) return logits
  const changed = logits.slice() // (V)
  for (const id of seen) changed[id] = changed[id] > 0 ? changed[id] / penalty : changed[id] * penalty
  return changed
}
