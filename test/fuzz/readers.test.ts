import {expect, test} from '@jest/globals'
import {fuzzReaders} from '../../scripts/fuzz-readers.mjs'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** A million: node scripts/fuzz-readers.mjs */
test('every reader answers to changed files with what they hold, or an error of ours', async () => {
  const counts = await fuzzReaders({cases: 2000, directory: inWork()})
  const answers = Object.values(counts).map(({read}) => read)
  expect(Object.keys(counts).length).toBeGreaterThan(30)
  // Some changes do no harm and some do, or the cases are none. Of a run with a damaged checkpoint the rest is told.
  const never = Object.entries(counts).filter(([, {refused}]) => refused === 0)
  expect(never.map(([name]) => name)).toEqual(['index of runs (checkpoint)'])
  expect(answers.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
}, 120_000)
