import {expect, test} from '@jest/globals'
import {brokenRules} from '../../src/recipe/rules.js'
import {stepRows} from '../../src/train/step-rows.js'
import {unevenRows} from '../support/uneven-rows.js'

const LENGTH = {batchSize: 2, epochs: 4, gradientAccumulation: 1, maxSteps: null, seed: 1, shuffle: true}

test('rows that are carried have no steps of so many tokens', () => {
  const recipe = (carried: boolean): unknown => ({data: {carry_state: carried}, train: {tokens_per_step: 64}})
  expect(brokenRules(recipe(false)).map(({path}) => path.join('.'))).not.toContain('train.tokens_per_step')
  expect(brokenRules(recipe(true)).map(({path}) => path.join('.'))).toContain('train.tokens_per_step')
})

test.each(['packed', 'carried'] as const)('%s rows end at the step that reaches max_tokens', (kind) => {
  const examples = unevenRows([12, 30, 9, 20, 15])
  const settings = {...LENGTH, layout: {kind, length: 32}}
  const whole = stepRows(examples, settings)
  const {plan, work} = stepRows(examples, {...settings, maxTokens: 100})
  const tokens = Array.from({length: plan.steps}, (_, step) => work(step).tokens)
  const total = tokens.reduce((sum, count) => sum + count, 0)
  expect(plan.steps).toBeLessThan(whole.plan.steps)
  expect(total).toBeGreaterThanOrEqual(100)
  expect(total - (tokens.at(-1) ?? 0)).toBeLessThan(100)
})
