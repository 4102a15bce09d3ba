import {describe, expect, test} from '@jest/globals'

import {parseRecipe} from '../../src/recipe/load.js'
import {resolvedYaml} from '../../src/recipe/resolved.js'
import {SMALLEST} from './faults-of.js'

/** Values that YAML would read as something else if they were written plainly. */
const AWKWARD = [
  'output_dir="null"',
  'model.base="1e3"',
  'init_adapter="a: b # c"',
  'data.train=["yes", "~", " x ", "é\\n#"]',
  `data.validation=${'long/'.repeat(60)}v.jsonl`,
  'train.optimizer.epsilon=1e-300',
  'train.optimizer.learning_rate=0.00012345678901234567',
  'seed=4294967295',
]

describe('resolvedYaml', () => {
  test.each([
    ['defaults', []],
    ['awkward values', AWKWARD],
  ])('read back gives the same recipe: %s', (_, overrides) => {
    const recipe = parseRecipe(SMALLEST, 'r.yaml', overrides)
    expect(parseRecipe(resolvedYaml(recipe), 'resolved.yaml')).toEqual(recipe)
  })

  test('writes every value, in the order of the specification, under a comment that says what it is for', () => {
    const text = resolvedYaml(parseRecipe(SMALLEST, 'r.yaml'))
    expect(text).toMatch(/^# .*repeats the run/)
    expect(
      text
        .split('\n')
        .filter((line) => /^\w/.test(line))
        .map((line) => line.split(':', 1)[0]),
    ).toEqual([
      'version',
      'seed',
      'output_dir',
      'model',
      'adapters',
      'init_adapter',
      'data',
      'train',
      'eval',
      'checkpoints',
      'logging',
    ])
    expect(text).toContain('betas: [0.9, 0.999]')
    expect(text).toContain('max_steps: null')
  })

  test('keeps a long path on one line, so that it can be searched for', () => {
    const path = 'a long path '.repeat(20)
    expect(resolvedYaml(parseRecipe(SMALLEST, 'r.yaml', [`output_dir="${path}"`]))).toContain(path)
  })
})
