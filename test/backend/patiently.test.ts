import {setTimeout} from 'node:timers/promises'
import {describe, expect, test} from '@jest/globals'
import {patiently} from '../../src/backend/gpu/patiently.js'

/** How often something that asks in every turn of the event loop, as Dawn does, asks during a wait: what keeps a processor busy. */
async function turnsOf(wait: () => Promise<unknown>): Promise<number> {
  let asking = true
  let turns = 0
  const ask = (): void => {
    turns += 1
    if (asking) setImmediate(ask)
  }
  ask()
  await wait()
  asking = false
  return turns
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
    const impatient = await turnsOf(() => setTimeout(400))
    expect(await turnsOf(() => patiently(setTimeout(400)))).toBeLessThan(impatient / 2)
  })
})
