import {expect, test} from '@jest/globals'
import {fuzzReaders} from '../../scripts/fuzz-readers.mjs'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** A million: node scripts/fuzz-readers.mjs */
test('every reader answers to changed files with what they hold, or an error of ours', async () => {
  const counts = await fuzzReaders({cases: 3000, directory: inWork()})
  const [answers, refusals] = [
    Object.values(counts).map(({read}) => read),
    Object.values(counts).map(({refused}) => refused),
  ]
  expect(Object.keys(counts).length).toBeGreaterThan(10)
  // Some changes do no harm and some do, or the cases are none.
  expect(Math.min(...refusals)).toBeGreaterThan(0)
  expect(answers.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
}, 120_000)
