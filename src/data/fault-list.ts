/**
 * Collects what is wrong with the data, so that one error can tell it all. A file with a million bad rows must not print a million
 * lines: the first twenty are kept, the rest are counted.
 */
import {DataError, type Fault} from '../errors.js'

const mostShown = 20

export class FaultList {
  private readonly shown: Fault[] = []
  private hint: string | undefined
  private total = 0

  get count(): number {
    return this.total
  }

  /** The hint of the first fault that has one is the error's hint: mend that first. */
  add(where: string, message: string, hint?: string): void {
    this.total++
    this.hint ??= hint
    if (this.shown.length < mostShown) this.shown.push({where, message})
  }

  /** null if there are none */
  error(): DataError | null {
    if (this.total === 0) return null
    const hidden = this.total - this.shown.length
    const faults = hidden === 0 ? this.shown : [...this.shown, {where: '', message: `… and ${hidden} more`}]
    const message = `The data cannot be used: ${this.total} ${this.total === 1 ? 'fault' : 'faults'}.`
    return new DataError(message, {faults, ...(this.hint === undefined ? {} : {hint: this.hint})})
  }

  throwIfAny(): void {
    const error = this.error()
    if (error) throw error
  }
}
