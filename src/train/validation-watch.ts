/** Which evaluation was the best so far, and whether it is time to stop because none has been better for a while. */

/** What is remembered from evaluation to evaluation, and kept in checkpoints. */
export interface Watched {
  /** The lowest validation loss, and the steps taken before it; those that come before the first step do not count. */
  readonly best: {readonly loss: number; readonly step: number} | null
  /** The loss that counts as improved upon from; null before the first evaluation */
  readonly reference: number | null
  /** Evaluations since the last improvement */
  readonly waited: number
}

export const NOT_WATCHED: Watched = {best: null, reference: null, waited: 0}

export interface EarlyStopping {
  /** Evaluations without an improvement that end the run */
  readonly patience: number
  /** How much lower a loss must be to count as an improvement, in nats per token */
  readonly minDelta: number
}

export function watchValidation(
  {best, reference, waited}: Watched,
  now: {readonly loss: number; readonly step: number},
  minDelta: number,
): Watched & {readonly isBest: boolean} {
  const isBest = best === null || now.loss < best.loss
  const isImprovement = reference === null || now.loss < reference - minDelta
  return {
    best: isBest ? now : best,
    isBest,
    reference: isImprovement ? now.loss : reference,
    waited: isImprovement ? 0 : waited + 1,
  }
}
