import {expect, test} from '@jest/globals'
import {readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'
import * as errors from '../../src/errors.js'

const document = readFileSync('docs/errors.md', 'utf8')
const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim())

/** Every class of src/errors.ts that can be thrown, with its code and exit code. */
const kinds = Object.entries(errors).flatMap(([name, value]) => {
  if (typeof value !== 'function' || !/Error$/.test(name) || name === 'MambatuneError') return []
  const {code, exit} = new (value as typeof errors.FileError)('')
  return [`${exit} | \`${code}\` | \`${name}\``]
})

test('every kind of error has its row, with exit code, code and class', () => {
  const rows = document.split('\n').map((line) => cells(line).slice(1, 4).join(' | '))
  expect(kinds.length).toBeGreaterThan(8)
  expect(kinds.filter((kind) => !rows.includes(kind))).toEqual([])
})

test('every exit code has a section with the literal texts, and each text a next step', () => {
  const exits = [...new Set(kinds.map((kind) => Number(kind.split(' ')[0])))].filter((exit) => exit < 100)
  const headed = [...document.matchAll(/^## ([\d ·]+) · /gm)].flatMap(([, codes]) => codes.split(' · ').map(Number))
  expect(exits.filter((exit) => !headed.includes(exit))).toEqual([])
  for (const line of document.slice(document.indexOf('## 2')).split('\n')) {
    if (!line.startsWith('| `')) continue
    expect(cells(line)[2]).toMatch(/\w{3}/)
  }
})

/** Runs of words that are written out in the program, in any of its files. */
const program = readdirSync('src', {recursive: true, encoding: 'utf8'})
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(path.join('src', name), 'utf8'))
  .join('\n')
  .replaceAll(/\$\{[^{}]*\}/g, '…')
  .replaceAll(/\s+/g, ' ')

test('what the document quotes is still what the program says', () => {
  const quoted = document
    .slice(document.indexOf('## 2'))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => /`([^`]+)`/.exec(line)?.[1] ?? '')
  expect(quoted.length).toBeGreaterThan(40)
  // Names and numbers of the example are what the program fills in: two words in a row that stand in both will do.
  const isSaid = (text: string): boolean => {
    const words = text.split(/\s+/)
    return words.some((_, first) => {
      const run = words.slice(first, first + 2)
      return run.length === Math.min(2, words.length) && program.includes(run.join(' '))
    })
  }
  expect(quoted.filter((text) => !isSaid(text))).toEqual([])
})
