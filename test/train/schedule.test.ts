import {describe, expect, test} from '@jest/globals'
import {rateFactor, type Schedule, warmupSteps} from '../../src/train/schedule.js'

const factors = (schedule: Schedule, total: number): number[] =>
  Array.from({length: total}, (_, step) => rateFactor(schedule, step, total))

describe('warm-up', () => {
  test.each([
    [0, 100, 0],
    [0.03, 100, 3],
    [0.03, 10, 0],
    [0.05, 10, 1], // a half rounds up
    [0.999, 10, 10],
    [1, 100, 1],
    [20, 100, 20],
  ])('of %d in a run of %d steps takes %d steps', (warmup, total, steps) => {
    expect(warmupSteps({minRatio: 0, name: 'cosine', warmup}, total)).toBe(steps)
  })

  test('rises in equal parts, moves in its first step and ends at the peak', () => {
    for (const name of ['constant', 'linear', 'cosine'] as const) {
      expect(factors({minRatio: 0, name, warmup: 4}, 10).slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1])
    }
  })

  test('may fill the whole run', () => {
    expect(factors({minRatio: 0, name: 'cosine', warmup: 4}, 4)).toEqual([0.25, 0.5, 0.75, 1])
  })

  test('longer than the run never reaches the peak', () => {
    expect(factors({minRatio: 0, name: 'linear', warmup: 8}, 2)).toEqual([1 / 8, 2 / 8])
  })
})

describe('after the warm-up', () => {
  test('constant stays at the peak, whatever min_ratio says', () => {
    expect(factors({minRatio: 0.5, name: 'constant', warmup: 0}, 4)).toEqual([1, 1, 1, 1])
  })

  test('linear falls in equal steps, the first at the peak', () => {
    expect(factors({minRatio: 0, name: 'linear', warmup: 0}, 4)).toEqual([1, 0.75, 0.5, 0.25])
  })

  test('linear falls towards min_ratio', () => {
    expect(factors({minRatio: 0.2, name: 'linear', warmup: 0}, 4)).toEqual(
      [1, 0.8, 0.6, 0.4].map((value) => expect.closeTo(value, 12)),
    )
  })

  test('cosine is at the peak, half-way in the middle, and just above the end in the last step', () => {
    const half = Math.SQRT1_2
    const expected = [1, (1 + half) / 2, 0.5, (1 - half) / 2]
    expect(factors({minRatio: 0, name: 'cosine', warmup: 0}, 4)).toEqual(
      expected.map((value) => expect.closeTo(value, 12)),
    )
  })

  test('cosine falls towards min_ratio', () => {
    const [first, , middle] = factors({minRatio: 0.1, name: 'cosine', warmup: 0}, 4)
    expect([first, middle]).toEqual([1, expect.closeTo(0.55, 12)])
  })

  test('the fall begins where the warm-up ends', () => {
    const [warming, ...falling] = factors({minRatio: 0, name: 'linear', warmup: 1}, 5)
    expect(warming).toBe(1)
    expect(falling).toEqual([1, 0.75, 0.5, 0.25])
  })

  test('min_ratio 1 is constant', () => {
    for (const name of ['linear', 'cosine'] as const) {
      expect(factors({minRatio: 1, name, warmup: 0}, 5)).toEqual([1, 1, 1, 1, 1])
    }
  })
})

test('a run of one step has a rate', () => {
  for (const name of ['constant', 'linear', 'cosine'] as const) {
    expect(rateFactor({minRatio: 0, name, warmup: 0.03}, 0, 1)).toBe(1)
  }
})

test('every factor lies between 0 and 1, and none is 0', () => {
  for (const name of ['constant', 'linear', 'cosine'] as const) {
    for (const warmup of [0, 0.03, 0.5, 7]) {
      const all = factors({minRatio: 0, name, warmup}, 50)
      expect(all.filter((factor) => !(factor > 0 && factor <= 1))).toEqual([])
    }
  }
})

describe('wsd', () => {
  test('stays at the peak and falls along a line over its last steps', () => {
    const decaying: Schedule = {decay: 0.4, minRatio: 0.5, name: 'wsd', warmup: 2}
    expect(factors(decaying, 10)).toEqual([0.5, 1, 1, 1, 1, 1, 1, 0.875, 0.75, 0.625])
    expect(factors({...decaying, decay: 2}, 6)).toEqual([0.5, 1, 1, 1, 1, 0.75])
    expect(factors({...decaying, decay: 0}, 4)).toEqual([0.5, 1, 1, 1])
  })
})

describe('when time ends the run', () => {
  const linear: Schedule = {minRatio: 0, name: 'linear', warmup: 0.2}

  test('the share of it that is over counts, unless more steps are done than that', () => {
    expect([0, 0.1, 0.2, 0.6, 1].map((over) => rateFactor(linear, 0, 1000, over))).toEqual([
      1 / 200,
      101 / 200,
      1,
      0.5,
      0,
    ])
    expect(rateFactor(linear, 600, 1000, 0.1)).toBe(0.5)
  })

  test('a warm-up in steps takes its steps', () => {
    expect([0, 1, 2].map((step) => rateFactor({...linear, warmup: 2}, step, 1000, 0.501))).toEqual([0.5, 1, 0.5])
  })
})
