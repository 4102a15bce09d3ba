import {afterEach, beforeEach, expect, test} from '@jest/globals'
import {setTimeout} from 'node:timers/promises'

import {createReporter, type Reporter} from '../../src/cli/progress.js'
import {FakeClock, FakeTerminal} from './fake-terminal.js'

let clock: FakeClock
let terminal: FakeTerminal
let reporter: Reporter

async function open(columns: number): Promise<void> {
  clock = new FakeClock()
  terminal = new FakeTerminal({columns})
  reporter = await createReporter({clock: clock.read, env: {NO_COLOR: '1'}, platform: 'linux', stream: terminal})
}

beforeEach(() => open(80))
afterEach(() => reporter.stop())

/** The screen without the sign that turns. */
function screen(): string[] {
  return terminal.screen.map((row) => row.replace(/^[-\\|/\u2800-\u28FF] /, '~ '))
}

test('a bar is one line that is painted over', () => {
  const bar = reporter.bar(4, 'train')
  expect(screen()).toEqual([`~ train ${'░'.repeat(24)} 0/4 · 0% · ETA …`])

  for (let done = 1; done <= 3; done++) {
    clock.now += 1000
    bar.update({detail: `loss ${done}`, done})
  }

  expect(screen()).toEqual([`~ train ${'█'.repeat(18)}${'░'.repeat(6)} 3/4 · 75% · loss 3 · ETA 1s`])
})

test('updates in quick succession are painted at most ten times a second', () => {
  const bar = reporter.bar(1000, 'train')
  for (let done = 1; done <= 1000; done++) {
    clock.now += 1
    bar.update({done})
  }

  const paints = terminal.written.match(/train /g)?.length ?? 0
  expect(paints).toBeGreaterThanOrEqual(10)
  expect(paints).toBeLessThanOrEqual(13)
})

test('a finished bar leaves one ticked line and gives the cursor back', () => {
  const bar = reporter.bar(2, 'eval')
  expect(terminal.cursorHidden).toBe(true)
  clock.now = 72_000
  bar.update({detail: 'loss 1', done: 2})
  bar.finish()
  bar.finish()
  expect(terminal.screen).toEqual(['✔ eval 2/2 · loss 1 · 1m12s'])
  expect(terminal.cursorHidden).toBe(false)
})

test('a stopped bar leaves nothing', () => {
  const bar = reporter.bar(2, 'eval')
  bar.update({done: 1})
  bar.stop()
  bar.update({done: 2})
  expect(terminal.screen).toEqual([])
  expect(terminal.cursorHidden).toBe(false)
})

test('notes stay above the bar', () => {
  const bar = reporter.bar(2, 'train')
  bar.note('eval: loss 2.5')
  reporter.note('checkpoint written')
  expect(screen()).toEqual(['eval: loss 2.5', 'checkpoint written', `~ train ${'░'.repeat(24)} 0/2 · 0% · ETA …`])
})

test.each([10, 20, 33, 47])('no line wraps in a terminal of %d columns', async (columns) => {
  reporter.stop()
  await open(columns)
  const bar = reporter.bar(12_000, 'train')
  for (const done of [1, 400, 11_999]) {
    clock.now += 200_000
    bar.update({detail: 'loss 2.314 · 12,840 tok/s', done})
    expect(terminal.screen).toHaveLength(1)
    expect(terminal.screen[0].length).toBeLessThan(columns)
  }
})

test('a step turns into a ticked line with the time it took', () => {
  const step = reporter.step('Loading')
  expect(screen()).toEqual(['~ Loading'])
  clock.now = 1250
  step.done('Loaded')
  reporter.step('Checking').fail()
  expect(terminal.screen).toEqual(['✔ Loaded (1.3s)', '✖ Checking'])
})

test('there is one live line: a new one ends the one before', async () => {
  reporter.step('first')
  reporter.bar(2, 'second')
  expect(screen()).toEqual([`~ second ${'░'.repeat(24)} 0/2 · 0% · ETA …`])
  reporter.stop()
  await setTimeout(200)
  expect(terminal.screen).toEqual([])
})
