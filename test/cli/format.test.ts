import {expect, test} from '@jest/globals'

import {formatBytes, formatCount, formatCounted, formatDuration} from '../../src/cli/format.js'

test.each([
  [0, '0s'],
  [0.04, '0.0s'],
  [0.44, '0.4s'],
  [9.94, '9.9s'],
  [9.96, '10s'],
  [7, '7s'],
  [59.4, '59s'],
  [59.6, '1m00s'],
  [72, '1m12s'],
  [3599.7, '1h00m'],
  [7530, '2h05m'],
  [97_300, '1d03h'],
  [-3, '0s'],
  [-0.5, '0.0s'],
])('%p seconds read as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text)
})

test.each([
  [0, '0'],
  [999, '999'],
  [12_840, '12,840'],
  [1_234_567, '1,234,567'],
])('%p is counted as %s', (count, text) => {
  expect(formatCount(count)).toBe(text)
})

test('a count names its unit, once or many times', () => {
  expect([0, 1, 12_840].map((count) => formatCounted(count, 'row'))).toEqual(['0 rows', '1 row', '12,840 rows'])
})

test.each([
  [0, '0 B'],
  [512, '512 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_600, '1.0 MB'],
  [99_960, '100 kB'],
  [374_000_000, '374 MB'],
  [7_120_000_000, '7.1 GB'],
])('%p bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})
