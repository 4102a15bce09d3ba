import {describe, expect, test} from '@jest/globals'
import {evaluationInterval, planSteps, rememberedOrder, rowsOfStep, type RunLength} from '../../src/train/plan.js'

const length = (parts: Partial<RunLength>): RunLength => ({
  batchSize: 4,
  epochs: 1,
  gradientAccumulation: 1,
  maxSteps: null,
  ...parts,
})

describe('the number of steps', () => {
  test.each<[string, number, Partial<RunLength>, number, number]>([
    ['rows that fill the batches', 12, {}, 3, 3],
    ['a last batch with fewer rows', 13, {}, 4, 4],
    ['fewer rows than a batch', 1, {}, 1, 1],
    ['several epochs', 13, {epochs: 3}, 12, 4],
    ['half an epoch', 16, {epochs: 0.5}, 2, 4],
    ['a sliver of an epoch: one step', 16, {epochs: 0.01}, 1, 4],
    ['accumulation makes steps larger', 16, {gradientAccumulation: 2}, 2, 2],
    ['accumulation over a last step that is not full', 17, {gradientAccumulation: 2}, 3, 3],
    ['max_steps below the epochs', 16, {epochs: 3, maxSteps: 5}, 5, 4],
    ['max_steps above the epochs', 16, {maxSteps: 100}, 4, 4],
  ])('%s', (_, rows, parts, steps, stepsPerEpoch) => {
    expect(planSteps(rows, length(parts))).toEqual({steps, stepsPerEpoch})
  })
})

describe('steps between evaluations', () => {
  test.each([
    [0.25, 100, 25],
    [0.25, 10, 3],
    [0.001, 10, 1],
    [1, 100, 1],
    [30, 100, 30],
  ])('every %d with %d steps an epoch: %d', (every, stepsPerEpoch, expected) => {
    expect(evaluationInterval(every, stepsPerEpoch)).toBe(expected)
  })
})

describe('the rows of a step', () => {
  const plain = {seed: 1, shuffle: false}
  const rows = (step: number, count: number, parts: Partial<RunLength>, order = plain): number[][] =>
    rowsOfStep(step, count, length(parts), rememberedOrder(count, order)).map((batch) => [...batch])

  test('come in the order of the file without shuffling, and begin again in each epoch', () => {
    const all = [0, 1, 2, 3].map((step) => rows(step, 6, {epochs: 2}))
    expect(all).toEqual([[[0, 1, 2, 3]], [[4, 5]], [[0, 1, 2, 3]], [[4, 5]]])
  })

  test('are divided into micro-batches, the last of which may be short', () => {
    const parts = {batchSize: 2, gradientAccumulation: 2}
    expect([0, 1].map((step) => rows(step, 7, parts))).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [[4, 5], [6]],
    ])
    expect(rows(1, 5, parts)).toEqual([[4]])
  })

  test('with shuffling are each row once an epoch, in another order each time', () => {
    const order = {seed: 1, shuffle: true}
    const epoch = (index: number): number[] => [0, 1, 2].flatMap((step) => rows(3 * index + step, 11, {}, order).flat())
    for (const index of [0, 1]) expect(epoch(index).toSorted((a, b) => a - b)).toEqual([...Array(11).keys()])
    expect(epoch(0)).not.toEqual(epoch(1))
    expect(epoch(0)).not.toEqual([...Array(11).keys()])
  })

  test('depend on the seed and the step alone, so that a run can go on anywhere', () => {
    const order = {seed: 9, shuffle: true}
    expect(rows(5, 40, {}, order)).toEqual(rows(5, 40, {}, order))
    expect(rows(5, 40, {}, order)).not.toEqual(rows(5, 40, {}, {...order, seed: 10}))
  })

  test('cut into micro-batches or not are the same rows', () => {
    const order = {seed: 3, shuffle: true}
    const whole = [0, 1, 2].map((step) => rows(step, 21, {batchSize: 8}, order).flat())
    const parts = [0, 1, 2].map((step) => rows(step, 21, {batchSize: 2, gradientAccumulation: 4}, order).flat())
    expect(parts).toEqual(whole)
  })
})
