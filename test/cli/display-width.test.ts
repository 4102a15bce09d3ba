import {describe, expect, test} from '@jest/globals'

import {displayWidth, padEnd, padStart, truncate, withoutControls} from '../../src/cli/display-width.js'

describe('displayWidth', () => {
  test.each([
    ['plain', 5],
    ['', 0],
    ['模型', 4],
    ['ｆ', 2],
    ['e\u0301', 1],
    ['🚀', 2],
    ['███░', 4],
    ['…·✔', 3],
    ['\u001B[31mred\u001B[39m', 3],
  ])('%p takes %d columns', (text, columns) => {
    expect(displayWidth(text)).toBe(columns)
  })
})

describe('truncate', () => {
  test('leaves what fits, colours included', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef')
    expect(truncate('\u001B[31mred\u001B[39m', 3)).toBe('\u001B[31mred\u001B[39m')
  })

  test('ends a cut text in an ellipsis within the width', () => {
    expect(truncate('abcdef', 4)).toBe('abc…')
    expect(truncate('abcdef', 1)).toBe('…')
    expect(truncate('abcdef', 0)).toBe('')
  })

  test('never cuts a wide character in half', () => {
    expect(truncate('模型模型', 6)).toBe('模型…')
    expect(displayWidth(truncate('模型模型', 4))).toBe(3)
  })
})

test('padding counts columns, not characters', () => {
  expect(padEnd('模', 4)).toBe('模  ')
  expect(padStart('模', 4)).toBe('  模')
  expect(padEnd('long', 2)).toBe('long')
})

test('control characters out of a file are shown, not obeyed', () => {
  expect(withoutControls('a\u001B[2Jb\rc\u0007\n\td')).toBe(String.raw`a\x1b[2Jb\x0dc\x07` + '\n  d')
})
