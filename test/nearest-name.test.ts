import {expect, test} from '@jest/globals'

import {nearestName} from '../src/nearest-name.js'

const NAMES = ['batch_size', 'epochs', 'max_steps', 'clip_norm']

test.each([
  ['batchsize', 'batch_size'],
  ['Batch-Size', 'batch_size'],
  ['bacth_size', 'batch_size'],
  ['epoch', 'epochs'],
  ['max_step', 'max_steps'],
  ['clipnrom', 'clip_norm'],
])('%s is taken for %s', (name, expected) => {
  expect(nearestName(name, NAMES)).toBe(expected)
})

test.each(['lr', 'warmup', 'x', ''])('%j is not taken for anything', (name) => {
  expect(nearestName(name, NAMES)).toBeUndefined()
})

test('the first of two that are equally near is taken', () => {
  expect(nearestName('cat', ['bat', 'rat'])).toBe('bat')
})
