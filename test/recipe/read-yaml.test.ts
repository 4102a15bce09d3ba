import {describe, expect, test} from '@jest/globals'

import {faultsOfText, SMALLEST} from './faults-of.js'

describe('YAML that is broken', () => {
  test.each([
    ['a: [1', /^r\.yaml:1:6 {2}not valid YAML: /],
    ['a: "x\n', /^r\.yaml:2:1 {2}not valid YAML: Missing closing/],
    ['a: "\\q"', /^r\.yaml:1:5 {2}not valid YAML: Invalid escape/],
    ['a:\n\tb: 1', /^r\.yaml:2:1 {2}not valid YAML: Tabs/],
    ['a: !foo 3', /^r\.yaml:1:4 {2}not YAML of a recipe: tags such as !foo/],
    ['? [1]\n: 3', /^r\.yaml:1:3 {2}not YAML of a recipe: a key must be a plain word/],
    ['a: 1\n---\nb: 1', /^r\.yaml:2:1 {2}not YAML of a recipe: a second document/],
  ])('%j is reported with its place', (text, expected) => {
    expect(faultsOfText(text)).toEqual([expect.stringMatching(expected)])
  })

  test('several faults of the syntax are reported together, and the values are not judged', () => {
    expect(faultsOfText('a: "\\q"\nb: "\\z"\n', ['seed'])).toEqual([
      'r.yaml:1:5  not valid YAML: Invalid escape sequence \\q',
      'r.yaml:2:5  not valid YAML: Invalid escape sequence \\z',
      '--set seed  seed: no value; write --set seed=value',
    ])
  })

  test('a file of nothing but faults gives the first ten', () => {
    const faults = faultsOfText('- "\\q"\n'.repeat(30))
    expect(faults).toHaveLength(11)
    expect(faults[10]).toBe('r.yaml:10:4  and 20 more that may follow from these')
  })
})

describe('YAML that is no recipe', () => {
  test.each([
    ['', 'r.yaml:1:1  the recipe is empty; to start from one that works: mambatune recipe show quickstart'],
    ['# nothing\n', 'r.yaml:1:1  the recipe is empty; to start from one that works: mambatune recipe show quickstart'],
    ['- 1\n', 'r.yaml:1:1  the recipe: expected a mapping of keys to values, got a list of 1'],
    ['hello\n', 'r.yaml:1:1  the recipe: expected a mapping of keys to values, got the text "hello"'],
  ])('%j is refused', (text, expected) => {
    expect(faultsOfText(text)).toEqual([expected])
  })
})

test('a key that is written twice is reported with both places', () => {
  expect(faultsOfText(`${SMALLEST}train:\n  epochs: 1\n  epochs: 2\n`)).toEqual([
    'r.yaml:8:3  train.epochs: written twice, first at r.yaml:7:3',
  ])
})

test('an alias without its anchor is reported', () => {
  expect(faultsOfText(`${SMALLEST}output_dir: *nowhere\n`)[0]).toBe(
    'r.yaml:6:13  output_dir: the alias *nowhere refers to no anchor &nowhere above it',
  )
})

describe('texts that unfold to too much', () => {
  const bomb = ['a: &a [1,1,1,1,1,1,1,1,1,1]', ...'bcdefgh'].reduce((text, name) => {
    const before = String.fromCodePoint((name.codePointAt(0) ?? 0) - 1)
    return `${text}\n${name}: &${name} [${`*${before},`.repeat(10)}]`
  })

  test.each([
    ['aliases of aliases', bomb],
    ['an alias of itself', 'a: &x [*x]'],
    ['more values than a recipe can have', `a: [${'1,'.repeat(20_000)}]`],
  ])('%s are refused', (_, text) => {
    expect(faultsOfText(text)).toEqual([expect.stringMatching(/^r\.yaml:\d+:\d+ {2}too large to be a recipe/)])
  })

  test('nesting that would exhaust the stack is refused', () => {
    expect(faultsOfText('['.repeat(100_000)).join('\n')).toContain('nested too deeply')
    expect(faultsOfText(`${'['.repeat(60)}${']'.repeat(60)}`).join('\n')).toContain('too large to be a recipe')
  })
})
