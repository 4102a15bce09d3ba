/**
 * What a command shows while it works: steps of unknown length, bars for work of known length, and notes.
 * One live line at a time: starting a step or a bar ends the one before. These are the types only; `progress.ts` makes one.
 */
import {type OutputStream, type Signs} from './terminal.js'

/** Work of unknown length. End it with `done` or `fail`; an error that reaches the base command ends it too. */
export interface Step {
  update(text: string): void
  /** Leaves a ticked line with the time it took. */
  done(text?: string): void
  /** Leaves a crossed line. */
  fail(text?: string): void
}

export interface BarUpdate {
  readonly done: number
  /** What is worth knowing now, such as `loss 2.314`. The last one stays when this is left out. */
  readonly detail?: string
}

/** Work of known length. */
export interface Bar {
  update(update: BarUpdate): void
  /** A line that stays, above the bar. */
  note(line: string): void
  /** Leaves one ticked line: the given one, or the last state with the time it took. */
  finish(line?: string): void
  /** Ends the bar and leaves nothing. */
  stop(): void
}

export interface Reporter {
  step(text: string): Step
  /** `from`: done before now, in a time that says nothing of the rest */
  bar(total: number, label: string, from?: number): Bar
  /** A line that stays. */
  note(line: string): void
  /** Erases what is live, so that an error or a question can be printed. */
  stop(): void
}

/** Milliseconds from any fixed point. */
export type Clock = () => number

/** Where a reporter draws, and with what. */
export interface Display {
  readonly clock: Clock
  readonly colour: boolean
  readonly signs: Signs
  readonly stream: OutputStream
}
