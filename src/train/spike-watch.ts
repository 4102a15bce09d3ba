/**
 * Watches for losses far above those before them: running mean and variance (West 1979, exponentially weighted),
 *
 *   a = loss − mean        mean ← mean + κ a        variance ← (1 − κ)(variance + κ a²)
 *
 * A spike is more than SIGMAS deviations and SHARE of the mean above the mean. It enters the statistics cut down to that
 * limit, so that one does not hide the next.
 */

/** What is remembered from step to step. */
export interface LossStatistics {
  /** Losses seen */
  readonly count: number
  readonly mean: number
  readonly variance: number
}

export const NO_LOSSES: LossStatistics = {count: 0, mean: 0, variance: 0}

/** κ, once there are enough losses; before, each counts alike. */
const RATE = 0.05
/** Losses before the first judgement. */
const WARM_UP = 20
const SIGMAS = 6
const SHARE = 0.1

/** Whether the loss is a spike, and the statistics with it. */
export function watchLoss(before: LossStatistics, loss: number): {isSpike: boolean; after: LossStatistics} {
  const count = before.count + 1
  const limit = before.mean + Math.max(SIGMAS * Math.sqrt(before.variance), SHARE * Math.abs(before.mean))
  const isSpike = count > WARM_UP && loss > limit
  const rate = Math.max(RATE, 1 / count)
  const away = (isSpike ? limit : loss) - before.mean
  const variance = (1 - rate) * (before.variance + rate * away * away)
  return {after: {count, mean: before.mean + rate * away, variance}, isSpike}
}
