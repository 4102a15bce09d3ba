/** Watches a stream of text for texts that end it. Text that may be the beginning of one is held back until that is clear. */

export class StopTexts {
  private held = ''
  private ended = false

  constructor(private readonly stops: readonly string[]) {}

  /** A stop text has appeared; nothing comes after. */
  get found(): boolean {
    return this.ended
  }

  /** Takes a piece of the stream; returns what is certain to belong to the text. */
  push(piece: string): string {
    if (this.ended) return ''
    this.held += piece
    const ends = this.stops.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0)
    if (ends.length > 0) {
      this.ended = true
      return this.release(Math.min(...ends), '')
    }
    const certain = this.held.length - this.longestBeginning()
    return this.release(certain, this.held.slice(certain))
  }

  /** The stream is over; returns what was held back. */
  end(): string {
    return this.release(this.held.length, '')
  }

  private release(length: number, keep: string): string {
    const text = this.held.slice(0, length)
    this.held = keep
    return text
  }

  /** Length of the longest end of the held text that a stop text begins with. */
  private longestBeginning(): number {
    const longest = Math.max(0, ...this.stops.map((stop) => stop.length - 1))
    for (let length = Math.min(longest, this.held.length); length > 0; length--) {
      const end = this.held.slice(-length)
      if (this.stops.some((stop) => stop.startsWith(end))) return length
    }
    return 0
  }
}
