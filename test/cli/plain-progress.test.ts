import {beforeEach, expect, test} from '@jest/globals'

import {createReporter, type Reporter} from '../../src/cli/progress.js'
import {FakeClock, FakeTerminal} from './fake-terminal.js'

let clock: FakeClock
let log: FakeTerminal
let reporter: Reporter

beforeEach(async () => {
  clock = new FakeClock()
  log = new FakeTerminal({isTTY: false})
  reporter = await createReporter({clock: clock.read, env: {}, platform: 'linux', stream: log})
})

test('a terminal on a build server gets plain lines too', async () => {
  const stream = new FakeTerminal()
  const plain = await createReporter({clock: clock.read, env: {CI: 'true'}, platform: 'linux', stream})
  plain.bar(3, 'train').update({done: 1})
  plain.step('Loading').done()
  expect(stream.written).toBe('train 1/3 · 33% · ETA …\n- Loading\n✔ Loading (0s)\n')
})

test('a step prints when it starts and when it ends', () => {
  const step = reporter.step('Loading the model')
  clock.now = 1250
  step.update('Loading the tokenizer')
  step.done('Loaded')
  reporter.step('Checking').fail('Check failed')
  expect(log.written).toBe('- Loading the model\n✔ Loaded (1.3s)\n- Checking\n✖ Check failed\n')
})

test('a bar prints its first update, then one line every ten seconds, then its last state', () => {
  const bar = reporter.bar(60, 'train')
  for (let step = 1; step <= 60; step++) {
    clock.now += 500
    bar.update({detail: `loss ${(3 - step / 60).toFixed(2)}`, done: step})
  }

  bar.finish()
  expect(log.written.split('\n')).toEqual([
    'train 1/60 · 1% · loss 2.98 · ETA …',
    'train 21/60 · 35% · loss 2.65 · ETA 20s',
    'train 41/60 · 68% · loss 2.32 · ETA 10s',
    '✔ train 60/60 · loss 2.00 · 30s',
    '',
  ])
})

test('the detail stays until there is another, on one line', () => {
  const bar = reporter.bar(2, 'eval')
  bar.update({detail: 'row\n1', done: 1})
  clock.now = 10_000
  bar.update({done: 2})
  expect(log.written).toBe('eval 1/2 · 50% · row 1 · ETA …\neval 2/2 · 100% · row 1\n')
})

test('notes are lines, and an ended bar is silent', () => {
  const bar = reporter.bar(10, 'train')
  bar.note('eval: loss 2.5')
  bar.finish('trained')
  clock.now = 60_000
  bar.update({done: 10})
  bar.finish()
  expect(log.written).toBe('eval: loss 2.5\n✔ trained\n')
})

test('nothing but plain text is ever written', () => {
  const bar = reporter.bar(3, 'train')
  bar.update({done: 1})
  bar.note('note')
  bar.stop()
  reporter.step('x').done()
  reporter.stop()
  // eslint-disable-next-line no-control-regex -- finding control characters is the purpose
  expect(log.written).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/)
})
