import {setTimeout} from 'node:timers/promises'
import {describe, expect, test} from '@jest/globals'
import {patiently} from '../../src/backend/gpu/patiently.js'

/** Processor time of a wait in milliseconds, while something asks in every turn of the event loop, as Dawn does. */
async function timeOf(wait: () => Promise<unknown>): Promise<number> {
  let asking = true
  const ask = (): void => {
    if (asking) setImmediate(ask)
  }
  ask()
  const before = process.cpuUsage()
  await wait()
  const {system, user} = process.cpuUsage(before)
  asking = false
  return (system + user) / 1000
}

describe('a patient wait', () => {
  test('passes on the answer', async () => {
    await expect(patiently(setTimeout(5, 'here'))).resolves.toBe('here')
    await expect(patiently(Promise.resolve(1))).resolves.toBe(1)
  })

  test('passes on the error', async () => {
    const late = setTimeout(5).then(() => {
      throw new Error('lost')
    })
    await expect(patiently(late)).rejects.toThrow('lost')
  })

  test('leaves the processor to others', async () => {
    const impatient = await timeOf(() => setTimeout(400))
    expect(await timeOf(() => patiently(setTimeout(400)))).toBeLessThan(impatient / 2)
  })
})
