import {describe, expect, test} from '@jest/globals'
import fc from 'fast-check'
import {type PlanSettings, planTraining} from '../../src/train/training-plan.js'

const SETTINGS: PlanSettings = {
  batchSize: 2,
  epochs: 1,
  gradientAccumulation: 1,
  maxSteps: null,
  seed: 3,
  shuffle: false,
}

/** The rows of every step, by micro-batch. */
const rowsOf = (lengths: readonly number[], parts: Partial<PlanSettings>): number[][][] => {
  const plan = planTraining(lengths, {...SETTINGS, ...parts})
  return Array.from({length: plan.steps}, (_, step) => plan.rowsOf(step).map((batch) => [...batch]))
}

describe('steps of tokens', () => {
  test('take the batches that come nearest to their tokens, and one at least', () => {
    // Tokens of the batches: 10, 10, 30, 4, 4, 4
    const lengths = [5, 5, 5, 5, 15, 15, 2, 2, 2, 2, 2, 2]
    expect(rowsOf(lengths, {tokensPerStep: 20})).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [[4, 5]],
      [
        [6, 7],
        [8, 9],
        [10, 11],
      ],
    ])
    expect(rowsOf(lengths, {tokensPerStep: 1})).toHaveLength(6)
    expect(rowsOf(lengths, {tokensPerStep: 1000})).toHaveLength(1)
  })

  test('visit each row once an epoch, in the order of the epoch, wherever a run goes on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({max: 40, min: 2}), {maxLength: 30, minLength: 1}),
        fc.integer({max: 120, min: 1}),
        fc.integer({max: 3, min: 1}),
        (lengths, tokensPerStep, epochs) => {
          const settings = {...SETTINGS, epochs, shuffle: true, tokensPerStep}
          const plan = planTraining(lengths, settings)
          const all = Array.from({length: plan.steps}, (_, step) => plan.rowsOf(step).map((batch) => [...batch]))
          const inOrder = all.flat(2)
          for (let epoch = 0; epoch < epochs; epoch++) {
            const rows = inOrder.slice(epoch * lengths.length, (epoch + 1) * lengths.length)
            expect(rows.sort((a, b) => a - b)).toEqual(lengths.map((_, row) => row))
          }
          // Asked for backwards, as by runs that go on anywhere.
          for (let step = plan.steps - 1; step >= 0; step--) {
            expect(plan.rowsOf(step).map((batch) => [...batch])).toEqual(all[step])
          }
        },
      ),
      {numRuns: 100},
    )
  })
})

test('max_tokens ends the run at the first step that reaches them', () => {
  const lengths = [5, 5, 5, 5, 5, 5]
  expect(rowsOf(lengths, {maxTokens: 20})).toHaveLength(2)
  expect(rowsOf(lengths, {maxTokens: 21})).toHaveLength(3)
  expect(rowsOf(lengths, {epochs: 4, maxTokens: 61})).toHaveLength(7)
  expect(rowsOf(lengths, {maxTokens: 1000})).toHaveLength(3)
  expect(rowsOf(lengths, {maxSteps: 1, maxTokens: 20})).toHaveLength(1)
})

test('without either, steps are those of batches', () => {
  expect(rowsOf([5, 5, 5, 5, 5], {gradientAccumulation: 2})).toEqual([
    [
      [0, 1],
      [2, 3],
    ],
    [[4]],
  ])
})
