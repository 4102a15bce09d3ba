import {expect, test} from '@jest/globals'

import {formatTable} from '../../src/cli/table.js'

test('columns are as wide as their widest cell and lines have no trailing spaces', () => {
  expect(
    formatTable([
      ['loss', '2.314', ''],
      ['perplexity', '10.1', 'x'],
    ]),
  ).toBe('loss        2.314\nperplexity  10.1   x')
})

test('numbers can stand on the right, under a header', () => {
  const table = formatTable(
    [
      ['in_proj', '48'],
      ['x_proj', '1,024'],
    ],
    {align: ['left', 'right'], header: ['SITE', 'RANK'], indent: 2},
  )
  expect(table).toBe('  SITE      RANK\n  in_proj     48\n  x_proj   1,024')
})

test('wide characters count double', () => {
  expect(
    formatTable([
      ['模型', 'a'],
      ['m', 'b'],
    ]),
  ).toBe('模型  a\nm     b')
})

test('rows may be short, and there may be none', () => {
  expect(formatTable([['a'], ['bb', 'c']])).toBe('a\nbb  c')
  expect(formatTable([])).toBe('')
})
