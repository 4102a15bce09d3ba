import {expect, test} from '@jest/globals'

import {nearestName} from '../../src/cli/nearest-name.js'

const commands = ['train', 'eval', 'generate', 'merge', 'recipe list', 'recipe show']

test.each([
  ['trian', 'train'],
  ['generat', 'generate'],
  ['genertae', 'generate'],
  ['merges', 'merge'],
  ['recipe lst', 'recipe list'],
  ['recipe shwo', 'recipe show'],
])('%s means %s', (typed, meant) => {
  expect(nearestName(typed, commands)).toBe(meant)
})

test.each(['xyzzy', '', 'help', 'tr'])('%p means nothing known', (typed) => {
  expect(nearestName(typed, commands)).toBeNull()
})
