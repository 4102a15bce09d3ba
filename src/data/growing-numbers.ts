/** Numbers that are collected one by one, 8 bytes each. */

export class GrowingNumbers {
  private numbers = new Float64Array(1024)
  private count = 0

  get length(): number {
    return this.count
  }

  push(number: number): void {
    if (this.count === this.numbers.length) {
      const longer = new Float64Array(2 * this.count)
      longer.set(this.numbers)
      this.numbers = longer
    }
    this.numbers[this.count++] = number
  }

  /** A copy of those so far. */
  all(): Float64Array {
    return this.numbers.slice(0, this.count)
  }
}
