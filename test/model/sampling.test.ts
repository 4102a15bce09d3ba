import {describe, expect, test} from '@jest/globals'
import {RandomStream} from '../../src/data/random.js'
import {NumericError} from '../../src/errors.js'
import {chooseToken, type Sampling} from '../../src/model/sampling.js'

const PLAIN: Sampling = {temperature: 1, topK: null, topP: 1}
const DRAWS = 20_000

/** Logits of the given probabilities. */
function logitsOf(...probabilities: number[]): Float32Array {
  return Float32Array.from(probabilities, Math.log)
}

/** How often each token is drawn, as shares. */
function sharesOf(logits: Float32Array, sampling: Partial<Sampling>, draws = DRAWS): number[] {
  const random = new RandomStream(7, 'shares')
  const counts = new Array<number>(logits.length).fill(0)
  for (let draw = 0; draw < draws; draw++) counts[chooseToken(logits, {...PLAIN, ...sampling}, random)] += 1
  return counts.map((count) => count / draws)
}

/** Four standard deviations of a share of 20,000 draws are below this. */
function expectShares(shares: readonly number[], expected: readonly number[]): void {
  expect(shares).toHaveLength(expected.length)
  for (const [token, share] of shares.entries()) expect(Math.abs(share - expected[token])).toBeLessThan(0.015)
}

describe('greedy choice (temperature 0)', () => {
  const greedy = (...logits: number[]): number =>
    chooseToken(Float32Array.from(logits), {...PLAIN, temperature: 0}, new RandomStream(0))

  test('is the largest logit', () => expect(greedy(0.1, -3, 2.5, 2.4)).toBe(2))
  test('is the smallest id among equals', () => expect(greedy(1, 3, 3, 3)).toBe(1))
  test('works where all logits are negative', () => expect(greedy(-5, -4, -9)).toBe(1))
  test('passes over a logit of minus infinity', () => expect(greedy(-Infinity, -4)).toBe(1))
  test('does not depend on top-k, top-p or the seed', () => {
    const logits = logitsOf(0.4, 0.35, 0.25)
    const chosen = [0, 1, 2].map((seed) =>
      chooseToken(logits, {temperature: 0, topK: 2, topP: 0.1}, new RandomStream(seed)),
    )
    expect(chosen).toEqual([0, 0, 0])
  })
})

describe('sampling', () => {
  const logits = logitsOf(0.5, 0.3, 0.15, 0.05)

  test('at temperature 1 follows the probabilities', () => {
    expectShares(sharesOf(logits, {}), [0.5, 0.3, 0.15, 0.05])
  })

  test('at temperature ½ squares them', () => {
    const squares = [0.25, 0.09, 0.0225, 0.0025].map((square) => square / 0.365)
    expectShares(sharesOf(logits, {temperature: 0.5}), squares)
  })

  test('at a high temperature takes all tokens alike', () => {
    expectShares(sharesOf(logits, {temperature: 1e4}), [0.25, 0.25, 0.25, 0.25])
  })

  test('at a tiny temperature is greedy', () => {
    expect(sharesOf(logits, {temperature: 1e-6}, 100)).toEqual([1, 0, 0, 0])
  })

  test('does not care for a constant added to all logits', () => {
    const moved = logits.map((logit) => logit + 1e4)
    expectShares(sharesOf(moved, {}), [0.5, 0.3, 0.15, 0.05])
  })

  test('with top-k draws from the k most probable, wherever they stand', () => {
    expectShares(sharesOf(logitsOf(0.05, 0.3, 0.15, 0.5), {topK: 2}), [0, 0.375, 0, 0.625])
  })

  test('with top-k 1 is greedy, and the smallest id wins a tie', () => {
    expect(sharesOf(logitsOf(0.2, 0.4, 0.4), {topK: 1}, 100)).toEqual([0, 1, 0])
  })

  test('with top-k beyond the vocabulary draws from all', () => {
    expectShares(sharesOf(logits, {topK: 99}), [0.5, 0.3, 0.15, 0.05])
  })

  test.each([
    [0.4, [1, 0, 0, 0]],
    [0.51, [0.625, 0.375, 0, 0]],
    [0.94, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]],
    [0.96, [0.5, 0.3, 0.15, 0.05]],
    [1, [0.5, 0.3, 0.15, 0.05]],
  ])('with top-p %d draws from the smallest set that has as much', (topP, expected) => {
    expectShares(sharesOf(logits, {topP}), expected)
  })

  test('applies temperature before top-p', () => {
    // At temperature ½ the first token alone has 0.68.
    expect(sharesOf(logits, {temperature: 0.5, topP: 0.6}, 100)).toEqual([1, 0, 0, 0])
  })

  test('applies top-k before top-p', () => {
    // Of the two that top-k leaves, the first has 0.625.
    expect(sharesOf(logits, {topK: 2, topP: 0.6}, 100)).toEqual([1, 0, 0, 0])
  })

  test('never draws a token of probability zero', () => {
    const shares = sharesOf(Float32Array.of(-Infinity, 0, -Infinity, 0, -Infinity), {}, 2000)
    expect([shares[0], shares[2], shares[4]]).toEqual([0, 0, 0])
  })

  test('is a pure function of the seed', () => {
    const draw = (seed: number): number[] => {
      const random = new RandomStream(seed)
      return Array.from({length: 40}, () => chooseToken(logits, PLAIN, random))
    }
    expect(draw(5)).toEqual(draw(5))
    expect(draw(5)).not.toEqual(draw(6))
  })
})

describe('logits that are not finite', () => {
  test.each([
    ['all NaN', [NaN, NaN]],
    ['one NaN among good ones', [1, NaN, 2]],
    ['NaN last', [1, NaN]],
    ['infinity', [1, Infinity]],
    ['minus infinity alone', [-Infinity, -Infinity]],
  ])('%s: an error, greedy or not', (_, values) => {
    for (const temperature of [0, 1]) {
      expect(() => chooseToken(Float32Array.from(values), {...PLAIN, temperature}, new RandomStream(0))).toThrow(
        NumericError,
      )
    }
  })
})
