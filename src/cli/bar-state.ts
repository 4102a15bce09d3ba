/** How far work of known length has come. Both kinds of bar draw from this; it draws nothing itself. */
import {formatCount, formatDuration} from './format.js'
import {type ProgressState} from './progress-line.js'
import {RemainingTime} from './remaining-time.js'
import {type BarUpdate, type Clock} from './reporter.js'

export class BarState {
  readonly #begin: number
  readonly #clock: Clock
  readonly #label: string
  readonly #remaining: RemainingTime
  readonly #total: number
  #detail = ''
  #done: number

  constructor(total: number, label: string, clock: Clock, from = 0) {
    this.#done = from
    this.#begin = clock()
    this.#clock = clock
    this.#label = label
    this.#remaining = new RemainingTime(total, this.#begin, from)
    this.#total = total
  }

  observe({detail, done}: BarUpdate): void {
    this.#remaining.observe(done, this.#clock())
    this.#done = done
    this.#detail = (detail ?? this.#detail).replaceAll(/\s+/g, ' ')
  }

  now(): ProgressState {
    return {
      detail: this.#detail,
      done: this.#done,
      label: this.#label,
      remaining: this.#remaining.seconds(this.#clock()),
      total: this.#total,
    }
  }

  /** `train 120/120 · loss 2.314 · 3m02s` */
  summary(dot: string): string {
    const parts = [`${this.#label} ${formatCount(this.#done)}/${formatCount(this.#total)}`, this.#detail]
    parts.push(formatDuration((this.#clock() - this.#begin) / 1000))
    return parts.filter((part) => part !== '').join(` ${dot} `)
  }
}
