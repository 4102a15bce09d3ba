import {describe, expect, test} from '@jest/globals'

import {createStyle, hasColour, isInteractive, signsFor} from '../../src/cli/terminal.js'
import {FakeTerminal} from './fake-terminal.js'

const tty = new FakeTerminal()
const pipe = new FakeTerminal({isTTY: false})

describe('isInteractive', () => {
  test('is true for a terminal and false for a pipe', () => {
    expect(isInteractive(tty, {})).toBe(true)
    expect(isInteractive(pipe, {})).toBe(false)
  })

  test('is false on a build server and on a dumb terminal', () => {
    expect(isInteractive(tty, {CI: 'true'})).toBe(false)
    expect(isInteractive(tty, {CI: '1'})).toBe(false)
    expect(isInteractive(tty, {TERM: 'dumb'})).toBe(false)
  })

  test.each(['', 'false', '0'])('takes CI=%p as not a build server', (value) => {
    expect(isInteractive(tty, {CI: value})).toBe(true)
  })

  test('is false for a pseudo-terminal without a size, which ora would clear for ever', () => {
    expect(isInteractive(new FakeTerminal({columns: 0}), {})).toBe(false)
  })
})

describe('hasColour', () => {
  test('colours a terminal and nothing else', () => {
    expect(hasColour(tty, {})).toBe(true)
    expect(hasColour(pipe, {})).toBe(false)
    expect(hasColour(tty, {CI: 'true'})).toBe(false)
  })

  test('obeys NO_COLOR unless it is empty', () => {
    expect(hasColour(tty, {NO_COLOR: '1'})).toBe(false)
    expect(hasColour(tty, {NO_COLOR: ''})).toBe(true)
  })

  test('obeys FORCE_COLOR before all else', () => {
    expect(hasColour(pipe, {CI: 'true', FORCE_COLOR: '1', NO_COLOR: '1'})).toBe(true)
    expect(hasColour(tty, {FORCE_COLOR: '0'})).toBe(false)
  })
})

test('a style without colour leaves text alone', () => {
  expect(createStyle(false).red('x')).toBe('x')
  expect(createStyle(true).red('x')).toBe('\u001B[31mx\u001B[39m')
})

test('signs are plain ASCII on the consoles that have no others', () => {
  expect(signsFor({TERM: 'xterm-256color'}, 'linux').tick).toBe('✔')
  expect(signsFor({TERM: 'linux'}, 'linux').tick).toBe('+')
  expect(signsFor({}, 'win32').full).toBe('#')
  expect(signsFor({WT_SESSION: 'id'}, 'win32').full).toBe('█')
})
