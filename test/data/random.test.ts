/** Streams are pinned for ever: these numbers may not change, because seeds in recipes and resumed runs depend on them. */
import {describe, expect, test} from '@jest/globals'

import {RandomStream} from '../../src/data/random.js'

function take(count: number, next: () => number): number[] {
  return Array.from({length: count}, next)
}

describe('RandomStream', () => {
  test('the same seed and names give these numbers for ever', () => {
    const random = new RandomStream(42, 'order', 0)
    expect(take(4, () => random.nextUint32())).toEqual([4262903860, 121230410, 4071557248, 2739115814])
    expect(take(2, () => random.uniform())).toEqual([0.4441530558474339, 0.4643227448746604])
    expect(take(2, () => random.normal())).toEqual([-0.3017411238795799, -1.8744898104058176])
  })

  test('gone back to where it was, a stream repeats its numbers', () => {
    const random = new RandomStream(42, 'order', 0)
    take(3, () => random.uniform())
    const {position} = random
    const numbers = take(4, () => random.normal())
    random.position = position
    expect(take(4, () => random.normal())).toEqual(numbers)
    expect(random.position).not.toEqual(position)
  })

  test.each([
    [[42, 'a']],
    [[42, 'b']],
    [[43, 'a']],
    [[42, 'a', 0]],
    [[42, 'a', 1]],
    [[42, 'a1']],
    [[42, 'a', 'a']],
    [[42, 'aa']],
    [[42]],
  ] as [[number, ...(string | number)[]]][])('%j is a stream of its own', ([seed, ...names]) => {
    const own = take(4, next(seed, ...names))
    expect(own).toEqual(take(4, next(seed, ...names)))
    const other = take(4, next(1, 'another'))
    expect(own.filter((value) => other.includes(value))).toEqual([])
  })

  test('streams whose names differ do not correlate', () => {
    const count = 20_000
    const streams = [0, 1, 2, 3].map((epoch) => take(count, uniform(7, 'order', epoch)))
    for (const [i, a] of streams.entries()) {
      for (const b of streams.slice(i + 1)) {
        const covariance = a.reduce((sum, value, index) => sum + (value - 0.5) * (b[index] - 0.5), 0) / count
        expect(Math.abs(covariance * 12)).toBeLessThan(4 / Math.sqrt(count))
      }
    }
  })

  test('uniform numbers lie in [0, 1) with the right mean, variance and lowest bits', () => {
    const values = take(100_000, uniform(3, 'uniform'))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true)
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.005)
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002)
    const odd = values.filter((value) => (value * 2 ** 53) % 2 === 1).length / values.length
    expect(Math.abs(odd - 0.5)).toBeLessThan(0.01)
  })

  test('normal numbers have the moments and tails of the normal distribution', () => {
    const random = new RandomStream(3, 'normal')
    const values = take(200_000, () => random.normal())
    const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / values.length
    expect(Math.abs(moment(1))).toBeLessThan(0.01)
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.015)
    expect(Math.abs(moment(3))).toBeLessThan(0.04)
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1)
    const within = values.filter((value) => Math.abs(value) < 1.96).length / values.length
    expect(Math.abs(within - 0.95)).toBeLessThan(0.003)
  })
})

function next(seed: number, ...names: (string | number)[]): () => number {
  const random = new RandomStream(seed, ...names)
  return () => random.nextUint32()
}

function uniform(seed: number, ...names: (string | number)[]): () => number {
  const random = new RandomStream(seed, ...names)
  return () => random.uniform()
}
