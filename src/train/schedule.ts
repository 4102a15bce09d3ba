/**
 * The learning rate of step s of S (s from 0), with W warm-up steps and peak η:
 *
 *   s < W:  η (s + 1) / W          else, with p = (s − W) / (S − W):
 *   constant  η          linear  η (m + (1 − m)(1 − p))          cosine  η (m + (1 − m) ½ (1 + cos π p))
 *
 * m is min_ratio. The first step already moves (transformers' warm-up starts at 0), and the last is just above η m.
 */

export interface Schedule {
  readonly name: 'constant' | 'linear' | 'cosine'
  /** Below 1 a share of all steps, from 1 on a number of steps. */
  readonly warmup: number
  /** The end as a share of the peak. */
  readonly minRatio: number
}

/** Warm-up steps of a run of `total` steps. */
export function warmupSteps({warmup}: Schedule, total: number): number {
  return warmup < 1 ? Math.round(warmup * total) : warmup
}

/** The factor on the peak rate at step `step` (from 0) of `total`. */
export function rateFactor(schedule: Schedule, step: number, total: number): number {
  const warmup = warmupSteps(schedule, total)
  if (step < warmup) return (step + 1) / warmup
  const progress = (step - warmup) / Math.max(1, total - warmup)
  const {minRatio, name} = schedule
  switch (name) {
    case 'constant':
      return 1
    case 'linear':
      return minRatio + (1 - minRatio) * (1 - progress)
    case 'cosine':
      return minRatio + ((1 - minRatio) * (1 + Math.cos(Math.PI * progress))) / 2
  }
}
