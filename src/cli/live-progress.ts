/**
 * Progress for a terminal: one line, repainted by ora. ora hides and restores the cursor, also when a signal ends the process,
 * and lets other output pass above the line. The bar is an ora line too, with our text behind the spinner, so that there is
 * one mechanism for both. Stdin is left alone: in raw mode Ctrl+C would wait for the next turn of a busy event loop.
 */
import ora, {type Ora} from 'ora'

import {BarState} from './bar-state.js'
import {formatDuration} from './format.js'
import {formatProgressBar} from './progress-line.js'
import {type Bar, type BarUpdate, type Display, type Reporter, type Step} from './reporter.js'
import {createStyle} from './terminal.js'

/** Milliseconds between two paints that updates ask for. */
const REPAINT = 100

/** Columns that the spinner, the space behind it and the edge of the terminal take: a full line would wrap. */
const MARGIN = 3
const USUAL_COLUMNS = 80

export class LiveReporter implements Reporter {
  readonly #display: Display
  #live: Ora | null = null

  constructor(display: Display) {
    this.#display = display
  }

  step(text: string): Step {
    const {clock, colour, signs} = this.#display
    const style = createStyle(colour)
    const begin = clock()
    const spinner = this.#start({text})
    return {
      done(last = spinner.text) {
        const took = style.dim(`(${formatDuration((clock() - begin) / 1000)})`)
        spinner.stopAndPersist({symbol: style.green(signs.tick), text: `${last} ${took}`})
      },
      fail: (last = spinner.text) => void spinner.stopAndPersist({symbol: style.red(signs.cross), text: last}),
      update(next) {
        spinner.text = next
      },
    }
  }

  bar(total: number, label: string, from = 0): Bar {
    const state = new BarState(total, label, this.#display.clock, from)
    const line = (): string => formatProgressBar(state.now(), columnsOf(this.#display) - MARGIN, this.#display.signs)
    const afterLabel = (): string => line().slice(label.length + 1)
    return new LiveBar(this.#start({suffixText: afterLabel, text: label}), state, this.#display)
  }

  note(line: string): void {
    this.#display.stream.write(`${line}\n`)
  }

  stop(): void {
    this.#live?.stop()
    this.#live = null
  }

  #start(content: {suffixText?: () => string; text: string}): Ora {
    this.stop()
    const {colour, stream} = this.#display
    this.#live = ora({...content, color: colour ? 'cyan' : false, discardStdin: false, isEnabled: true, stream}).start()
    return this.#live
  }
}

class LiveBar implements Bar {
  readonly #display: Display
  readonly #spinner: Ora
  readonly #state: BarState
  #lastPaint: number

  constructor(spinner: Ora, state: BarState, display: Display) {
    this.#display = display
    this.#lastPaint = display.clock()
    this.#spinner = spinner
    this.#state = state
  }

  /** Paints here and not by ora's timer alone: a loop that computes without a pause never lets a timer run. */
  update(update: BarUpdate): void {
    this.#state.observe(update)
    const now = this.#display.clock()
    if (!this.#spinner.isSpinning || now - this.#lastPaint < REPAINT) return

    this.#lastPaint = now
    this.#spinner.render()
  }

  note(line: string): void {
    this.#display.stream.write(`${line}\n`)
  }

  finish(line = this.#state.summary(this.#display.signs.dot)): void {
    if (!this.#spinner.isSpinning) return

    const {colour, signs} = this.#display
    this.#spinner.stopAndPersist({suffixText: '', symbol: createStyle(colour).green(signs.tick), text: line})
  }

  stop(): void {
    this.#spinner.stop()
  }
}

function columnsOf({stream}: Display): number {
  return stream.columns ?? USUAL_COLUMNS
}
