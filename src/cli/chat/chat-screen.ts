/** What a chat shows: answers on stdout, everything else on stderr, so that a script gets the answers alone. */
import {formatBytes, formatCount, formatCounted} from '../format.js'
import {formatFailure, type Failure} from '../failure.js'
import {type Signs, type Style} from '../terminal.js'

/** Controls that would move the cursor or change colours; a model may write any byte. */
const CONTROLS = /(?![\n\t])\p{Cc}/gu

export interface AnswerFigures {
  readonly tokens: number
  readonly seconds: number
  /** All tokens that the voice has read and written */
  readonly read: number
  readonly stateBytes: number
  readonly end: 'end' | 'interrupted' | 'length'
}

export interface ScreenOptions {
  readonly write: (text: string) => void
  readonly note: (line: string) => void
  readonly style: Style
  readonly signs: Signs
  /** Someone is looking. */
  readonly isTerminal: boolean
}

export class ChatScreen {
  private isAtStart = true

  constructor(private readonly options: ScreenOptions) {}

  /** The heading of an answer where several follow each other. */
  heading(name: string): void {
    const {isTerminal, style} = this.options
    this.options.write(`${isTerminal ? style.bold(`${name}:`) : `${name}:`}\n`)
  }

  piece(text: string): void {
    const shown = this.options.isTerminal ? text.replaceAll(CONTROLS, '\uFFFD') : text
    this.options.write(shown)
    this.isAtStart = shown.endsWith('\n')
  }

  endAnswer({end, read, seconds, stateBytes, tokens}: AnswerFigures): void {
    if (!this.isAtStart || tokens === 0) this.options.write('\n')
    this.isAtStart = true
    if (!this.options.isTerminal) return
    const {dot} = this.options.signs
    const nothing = tokens <= 1 ? ['nothing was said'] : []
    const ending = {end: nothing, interrupted: ['stopped'], length: ['max_new_tokens reached']}[end]
    const figures = [
      formatCounted(tokens, 'token'),
      ...(tokens > 1 ? [`${(tokens / seconds).toFixed(1)} tok/s`] : []),
      `${formatCount(read)} read`,
      `state ${formatBytes(stateBytes)}`,
      ...ending,
    ]
    this.say(figures.join(` ${dot} `))
  }

  /** Something about the chat, not of it. */
  say(text: string): void {
    for (const line of text.split('\n')) this.options.note(this.options.style.dim(line))
  }

  failure(failure: Failure): void {
    this.options.note(formatFailure(failure, this.options.style, this.options.signs))
  }
}
