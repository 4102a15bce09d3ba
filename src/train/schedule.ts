/**
 * The learning rate of step s of S (s from 0), with W warm-up steps and peak η:
 *
 *   s < W:  η (s + 1) / W          else, with p = (s − W) / (S − W):
 *   constant  η          linear  η (m + (1 − m)(1 − p))          cosine  η (m + (1 − m) ½ (1 + cos π p))
 *   wsd       η until the last D steps, then linear over them (warm-up, stable, decay: arXiv 2404.06395)
 *
 * Where time ends the run, s is the share of it that is over, times S, unless more steps are done than that.
 * m is min_ratio. The first step already moves (transformers' warm-up starts at 0), and the last is just above η m.
 */

export interface Schedule {
  readonly name: 'constant' | 'linear' | 'cosine' | 'wsd'
  /** Below 1 a share of all steps, from 1 on a number of steps. */
  readonly warmup: number
  /** The end as a share of the peak. */
  readonly minRatio: number
  /** Of wsd, the steps of its decay: below 1 a share of all steps, from 1 on a number of steps. */
  readonly decay?: number
}

/** Warm-up steps of a run of `total` steps. */
export function warmupSteps({warmup}: Schedule, total: number): number {
  return warmup < 1 ? Math.round(warmup * total) : warmup
}

/** The factor on the peak rate at step `step` (from 0) of `total`; `over` is the share of the time that is over, from 0 to 1. */
export function rateFactor(schedule: Schedule, step: number, total: number, over = 0): number {
  const warmup = warmupSteps(schedule, total)
  const reached = Math.max(step, over * total)
  // A warm-up in steps takes its steps, however fast time goes.
  const risen = schedule.warmup < 1 ? reached : step
  if (risen < warmup) return Math.min(1, (risen + 1) / warmup)
  const progress = Math.min(1, Math.max(0, reached - warmup) / Math.max(1, total - warmup))
  const {minRatio, name} = schedule
  switch (name) {
    case 'constant':
      return 1
    case 'linear':
      return minRatio + (1 - minRatio) * (1 - progress)
    case 'cosine':
      return minRatio + ((1 - minRatio) * (1 + Math.cos(Math.PI * progress))) / 2
    case 'wsd': {
      const {decay = 0} = schedule
      const fall = decay < 1 ? Math.round(decay * total) : Math.min(decay, total)
      return minRatio + (1 - minRatio) * Math.min(1, (total - reached) / Math.max(1, fall))
    }
  }
}
