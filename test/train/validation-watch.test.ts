import {expect, test} from '@jest/globals'
import {NOT_WATCHED, watchValidation} from '../../src/train/validation-watch.js'

function watch(losses: readonly number[], minDelta: number): {best: (number | null)[]; waited: number[]} {
  let watched = NOT_WATCHED
  const seen = {best: [] as (number | null)[], waited: [] as number[]}
  for (const [step, loss] of losses.entries()) {
    watched = watchValidation(watched, {loss, step}, minDelta)
    seen.best.push(watched.best?.step ?? null)
    seen.waited.push(watched.waited)
  }
  return seen
}

test('the best is the lowest, the first among equals; waiting begins anew with each improvement', () => {
  expect(watch([3, 2, 2, 4, 1, 5, 6], 0)).toEqual({best: [0, 1, 1, 1, 4, 4, 4], waited: [0, 0, 1, 2, 0, 1, 2]})
})

test('a little lower is the best, but no improvement, until the little things have added up', () => {
  expect(watch([3, 2.9, 2.7, 2.4, 2.3], 0.5)).toEqual({best: [0, 1, 2, 3, 4], waited: [0, 1, 2, 0, 1]})
})
