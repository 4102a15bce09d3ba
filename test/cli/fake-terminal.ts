/**
 * A terminal for tests: a stream that remembers what was written and what a person would see of it.
 * It knows the few control codes that progress uses; any other is an error.
 */
import {clearLine, cursorTo, moveCursor} from 'node:readline'
import {Writable} from 'node:stream'

// eslint-disable-next-line no-control-regex -- finding control codes is the purpose
const TOKEN = /\u001B\[(\??)(\d*)([A-Za-z])|[\s\S]/gu

export class FakeTerminal extends Writable {
  readonly columns: number
  readonly isTTY: boolean
  /** Everything that was written, control codes and all. */
  written = ''
  cursorHidden = false
  #rows: string[][] = [[]]
  #row = 0
  #column = 0

  constructor({columns = 80, isTTY = true} = {}) {
    super({decodeStrings: false})
    this.columns = columns
    this.isTTY = isTTY
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk
    for (const [token, isPrivate, number, letter] of chunk.matchAll(TOKEN)) {
      if (letter === undefined) this.#put(token)
      else if (isPrivate !== '') this.#setMode(number, letter)
      else this.#control(number, letter)
    }

    done()
  }

  clearLine(direction: -1 | 0 | 1): boolean {
    return clearLine(this, direction)
  }

  cursorTo(column: number): boolean {
    return cursorTo(this, column)
  }

  moveCursor(right: number, down: number): boolean {
    return moveCursor(this, right, down)
  }

  /** The rows on the screen, down to the last that is not empty. */
  get screen(): string[] {
    const rows = this.#rows.map((row) => row.join('').trimEnd())
    while (rows.at(-1) === '') rows.pop()
    return rows
  }

  #put(character: string): void {
    if (character === '\n') return this.#nextRow()
    if (this.#column === this.columns) this.#nextRow()
    this.#rows[this.#row][this.#column++] = character
  }

  #nextRow(): void {
    this.#column = 0
    this.#rows[++this.#row] ??= []
  }

  #setMode(number: string, letter: string): void {
    if (number === '25') this.cursorHidden = letter === 'l'
    else if (number !== '2026') throw new Error(`unknown mode ${number}`)
  }

  #control(number: string, letter: string): void {
    if (letter === 'G') this.#column = Number(number) - 1
    else if (letter === 'A') this.#row -= Number(number)
    else if (letter === 'K' && number === '0') this.#rows[this.#row].length = this.#column
    else if (letter !== 'm') throw new Error(`unknown control code ${number}${letter}`)
  }
}

/** A clock that moves only when told to; milliseconds. */
export class FakeClock {
  now = 0
  readonly read = (): number => this.now
}
