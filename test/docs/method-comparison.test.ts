import {expect, test} from '@jest/globals'
import {readFileSync} from 'node:fs'
import {withComparison} from '../../scripts/write-method-table.mjs'

const document = readFileSync('docs/methods.md', 'utf8')
const results = readFileSync('docs/method-comparison/results.jsonl', 'utf8')

/** Mends itself with: node scripts/write-method-table.mjs */
test('docs/methods.md tells what was measured', () => {
  expect(document).toBe(withComparison(document, results))
})

test('another result is another table', () => {
  const [first] = /"told":\[[^\]]*\],"trained":\d+/.exec(results) as RegExpExecArray
  expect(withComparison(document, results.replace(first, first.replace(/\[.*\]/, '[9,9,9]')))).not.toBe(document)
})

test('a document without its marks is refused', () => {
  expect(() => withComparison('# Methods', results)).toThrow('has lost its marks')
})
