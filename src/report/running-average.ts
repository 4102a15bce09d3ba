/**
 * The loss without its noise: an exponential average over the steps, freed from its start at zero.
 *
 *   s_t = β s_{t−1} + (1 − β) x_t,   average_t = s_t / (1 − β^t)
 */
const KEPT = 0.9

export class RunningAverage {
  private sum = 0
  private weight = 0

  constructor(private readonly kept = KEPT) {}

  /** The average with this value in it. */
  add(value: number): number {
    this.sum = this.kept * this.sum + (1 - this.kept) * value
    this.weight = this.kept * this.weight + (1 - this.kept)
    return this.sum / this.weight
  }
}
