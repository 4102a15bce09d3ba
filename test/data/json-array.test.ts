/** Elements of a JSON array keep their lines, whatever brackets, quotes and line breaks lie inside them. */
import {describe, expect, test} from '@jest/globals'

import {splitJsonArray} from '../../src/data/json-array.js'

describe('splitJsonArray', () => {
  test('finds elements and the lines they begin on', () => {
    const text = '\n[\n  {"a": "],[\\"{\\\\"},\n  {"b": [1, [2]],\n   "c": {}}\n  , 3 ]\n'
    const {elements, fault} = splitJsonArray(text)
    expect(fault).toBeNull()
    expect(elements.map(({line}) => line)).toEqual([3, 4, 6])
    expect(elements.map((element) => JSON.parse(element.text) as unknown)).toEqual(JSON.parse(text))
  })

  test.each(['[]', ' [ \n ] \n'])('%j has no elements', (text) => {
    expect(splitJsonArray(text)).toEqual({elements: [], fault: null})
  })

  test('a comma without a row beside it leaves an empty element', () => {
    expect(splitJsonArray('[1,]').elements.map(({text}) => text)).toEqual(['1', ''])
    expect(splitJsonArray('[,1]').elements.map(({text}) => text)).toEqual(['', '1'])
  })

  test.each([
    ['{"a": 1}', 1, 'expected an array'],
    ['\n\n7', 3, 'expected an array'],
    ['[1,\n{"a": [2}', 2, 'not closed'],
    ['[1,\n"abc', 2, 'not closed'],
    ['[1]\n{"a": 1}', 2, 'something after the array'],
  ])('%j is faulty', (text, line, fragment) => {
    const {fault} = splitJsonArray(text)
    expect(fault?.line).toBe(line)
    expect(fault?.message).toContain(fragment)
  })

  test('a long array on one line takes time in proportion to its length', () => {
    const start = performance.now()
    const {elements} = splitJsonArray(`[${new Array(200_000).fill('{"text": "a b"}').join()}]\n`)
    expect(elements.length).toBe(200_000)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})
