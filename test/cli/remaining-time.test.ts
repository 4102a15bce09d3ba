import {expect, test} from '@jest/globals'

import {RemainingTime} from '../../src/cli/remaining-time.js'

/** Reports each step when it ends; durations in milliseconds. */
function afterSteps(total: number, durations: readonly number[]): {time: RemainingTime; now: number} {
  const time = new RemainingTime(total, 0)
  let now = 0
  for (const [index, duration] of durations.entries()) time.observe(index + 1, (now += duration))
  return {now, time}
}

test('nothing is promised before three steps are done', () => {
  const {now, time} = afterSteps(10, [1000, 1000])
  expect(time.seconds(now)).toBeNull()
  time.observe(3, now + 1000)
  expect(time.seconds(now + 1000)).toBeCloseTo(7)
})

test('steps reported together count as so many steps', () => {
  const time = new RemainingTime(100, 0)
  time.observe(20, 10_000)
  expect(time.seconds(10_000)).toBeCloseTo(40)
})

test('a slow first step is forgotten', () => {
  const {now, time} = afterSteps(300, [30_000, ...Array.from({length: 199}, () => 1000)])
  expect(time.seconds(now)).toBeGreaterThan(99)
  expect(time.seconds(now)).toBeLessThan(102)
})

test('a machine that becomes slower is believed', () => {
  const {now, time} = afterSteps(300, [
    ...Array.from({length: 100}, () => 100),
    ...Array.from({length: 100}, () => 1000),
  ])
  expect(time.seconds(now)).toBeGreaterThan(90)
  expect(time.seconds(now)).toBeLessThan(100)
})

test('the step in progress counts down and never below what the others need', () => {
  const {now, time} = afterSteps(5, [1000, 1000, 1000])
  expect(time.seconds(now + 400)).toBeCloseTo(1.6)
  expect(time.seconds(now + 60_000)).toBeCloseTo(1)
})

test('it is never negative, also when the last step takes long or more is done than was announced', () => {
  const {now, time} = afterSteps(4, [1000, 1000, 1000])
  expect(time.seconds(now + 60_000)).toBe(0)
  time.observe(7, now + 60_000)
  expect(time.seconds(now + 60_000)).toBe(0)
})
