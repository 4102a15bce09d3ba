/** The JSON reader: agrees with JSON.parse on what JSON is, and finds what JSON.parse hides. */
import {describe, expect, test} from '@jest/globals'

import {lineAndColumn, parseJson} from '../../src/checkpoint/json-text.js'

function accepted(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('reads what JSON.parse reads, to the same value', () => {
  const text =
    '\t{"a": [1, -2.5e-3, 0, true, false, null, "x\\n\\u00e9\\"", {}, [], ""], "b": {"c": {"d": [[[]]]}}}\r\n '
  expect(parseJson(text)).toEqual({faults: [], value: JSON.parse(text) as unknown})
})

test('agrees with JSON.parse on thousands of damaged texts', () => {
  const good = '{"a":[1,-2.5e+3,true,null,"x\\u00e9\\\\"],"b":{"c":"\\"","d":[]}}'
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '0',
    '-',
    '.',
    'e',
    '+',
    't',
    'null',
    ' ',
    '\n',
    '\u0001',
    '',
  ]
  let state = 7
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }

  let refused = 0
  for (let round = 0; round < 5000; round += 1) {
    let text = good
    for (let change = random(3); change >= 0; change -= 1) {
      const at = random(text.length)
      text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(2))
    }

    const {faults, value} = parseJson(text)
    const syntax = faults.filter(({message}) => !message.includes('occurs twice'))
    expect({accepted: syntax.length === 0, text}).toEqual({accepted: accepted(text), text})
    if (syntax.length > 0) refused += 1
    else expect(value).toEqual(JSON.parse(text))
  }

  expect(refused).toBeGreaterThan(1000)
  expect(refused).toBeLessThan(4900)
})

describe('says where and what is wrong:', () => {
  test.each([
    ['', 0, 'the text ends where a value must stand'],
    ['{"a": 1,}', 8, 'expected a key in double quotes, got "}"'],
    ['{"a" 1}', 5, `expected ':', got "1"`],
    ['{"a": 1 "b": 2}', 8, `expected ',' or '}', got "\\""`],
    ['[1 2]', 3, `expected ',' or ']', got "2"`],
    ['{"a": 01}', 6, '01 is not a JSON number'],
    ['{"a": nul}', 6, 'expected a value, got "n"'],
    ['{"a": "b', 6, 'this text in double quotes does not end'],
    ['{"a": "b\nc"}', 8, 'a line break or control character inside double quotes'],
    ['{"a": "\\x"}', 6, 'this text in double quotes holds a wrong \\ escape'],
    ['{} {}', 3, 'expected the end of the text, got "{"'],
    ['{"a": Infinity}', 6, 'expected a value, got "I"'],
    ['['.repeat(100_000), 101, 'nested more than 100 deep'],
  ])('%.20j', (text, offset, message) => {
    expect(parseJson(text).faults).toEqual([{message, offset}])
  })
})

test('refuses a number of thousands of digits without going through them', () => {
  expect(parseJson('1'.repeat(5000)).faults).toEqual([expect.objectContaining({offset: 1000})])
})

test('finds every key that occurs twice in one object, spelt with escapes or not', () => {
  const text = '{"a": {"x": 1, "\\u0078": 2}, "b": {"x": 1}, "a": 3}'
  expect(parseJson(text).faults).toEqual([
    {message: 'key "x" occurs twice', offset: text.indexOf('"\\u0078"')},
    {message: 'key "a" occurs twice', offset: text.lastIndexOf('"a"')},
  ])
})

test('__proto__ is a key like any other', () => {
  const {value} = parseJson('{"__proto__": {"polluted": 1}, "constructor": 2}')
  expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor'])
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  expect(({} as {polluted?: number}).polluted).toBeUndefined()
})

test('reads the numbers that Python writes, when asked to', () => {
  const {faults, value} = parseJson('{"a": [NaN, Infinity, -Infinity]}', {pythonNumbers: true})
  expect(faults).toEqual([])
  expect(value).toEqual({a: [NaN, Infinity, -Infinity]})
})

test('counts lines and columns from 1, as editors do', () => {
  const text = 'ab\ncd\n\nef'
  expect([0, 1, 3, 6, 7, 8].map((offset) => lineAndColumn(text, offset))).toEqual([
    {column: 1, line: 1},
    {column: 2, line: 1},
    {column: 1, line: 2},
    {column: 1, line: 3},
    {column: 1, line: 4},
    {column: 2, line: 4},
  ])
})
