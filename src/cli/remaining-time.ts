/**
 * How long a run of known length will still take: the mean duration of recent steps times the steps that are left.
 * A step's weight halves with every `HALF_LIFE` seconds that have passed since, so a slow first step is soon forgotten and
 * a machine that slows down is soon believed. It says nothing before `KNOWN_STEPS` steps are done.
 *
 *   mean = Σ w·duration / Σ w·steps,   w = 2^(−age / HALF_LIFE)
 */

/** Seconds. */
const HALF_LIFE = 20
const KNOWN_STEPS = 3

export class RemainingTime {
  readonly #total: number
  readonly #from: number
  #done: number
  #lastChange: number
  #weightedSeconds = 0
  #weightedSteps = 0

  /** `now` is when the first step begins, in milliseconds, like all times here; `from` steps were done before. */
  constructor(total: number, now: number, from = 0) {
    this.#total = total
    this.#from = from
    this.#done = from
    this.#lastChange = now
  }

  /** `done` steps are complete at `now`. */
  observe(done: number, now: number): void {
    if (done <= this.#done) return

    const seconds = (now - this.#lastChange) / 1000
    const fade = 2 ** (-seconds / HALF_LIFE)
    this.#weightedSeconds = this.#weightedSeconds * fade + seconds
    this.#weightedSteps = this.#weightedSteps * fade + (done - this.#done)
    this.#done = done
    this.#lastChange = now
  }

  /** Seconds that are left, never negative; null while unknown. The step in progress counts down, but not below nothing. */
  seconds(now: number): number | null {
    const left = this.#total - this.#done
    if (left <= 0) return 0
    if (this.#done - this.#from < KNOWN_STEPS) return null

    const mean = this.#weightedSeconds / this.#weightedSteps
    const current = Math.max(0, mean - (now - this.#lastChange) / 1000)
    return current + mean * (left - 1)
  }
}
