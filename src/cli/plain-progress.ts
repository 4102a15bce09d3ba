/**
 * Progress for a log: whole lines, no control codes, and few of them. A bar prints its first update, then at most one line
 * every `QUIET` milliseconds, then how it ended.
 */
import {BarState} from './bar-state.js'
import {formatDuration} from './format.js'
import {formatProgressLine} from './progress-line.js'
import {type Bar, type BarUpdate, type Display, type Reporter, type Step} from './reporter.js'
import {createStyle} from './terminal.js'

/** Milliseconds between two lines of a bar. */
const QUIET = 10_000

export class PlainReporter implements Reporter {
  readonly #display: Display

  constructor(display: Display) {
    this.#display = display
  }

  step(text: string): Step {
    const {clock, colour, signs} = this.#display
    const style = createStyle(colour)
    const begin = clock()
    let current = text
    this.note(`- ${text}`)
    return {
      done: (last = current) =>
        this.note(`${style.green(signs.tick)} ${last} (${formatDuration((clock() - begin) / 1000)})`),
      fail: (last = current) => this.note(`${style.red(signs.cross)} ${last}`),
      update(next) {
        current = next
      },
    }
  }

  bar(total: number, label: string, from = 0): Bar {
    return new PlainBar(total, label, from, this.#display)
  }

  note(line: string): void {
    this.#display.stream.write(`${line}\n`)
  }

  /** Lines that are printed stay. */
  stop(): void {}
}

class PlainBar implements Bar {
  readonly #display: Display
  readonly #state: BarState
  #ended = false
  #lastPrint = Number.NEGATIVE_INFINITY

  constructor(total: number, label: string, from: number, display: Display) {
    this.#display = display
    this.#state = new BarState(total, label, display.clock, from)
  }

  update(update: BarUpdate): void {
    this.#state.observe(update)
    const now = this.#display.clock()
    if (this.#ended || now - this.#lastPrint < QUIET) return

    this.#lastPrint = now
    this.note(formatProgressLine(this.#state.now(), this.#display.signs))
  }

  note(line: string): void {
    this.#display.stream.write(`${line}\n`)
  }

  finish(line = this.#state.summary(this.#display.signs.dot)): void {
    if (this.#ended) return

    this.#ended = true
    const {colour, signs} = this.#display
    this.note(`${createStyle(colour).green(signs.tick)} ${line}`)
  }

  stop(): void {
    this.#ended = true
  }
}
