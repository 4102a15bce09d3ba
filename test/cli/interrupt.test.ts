import {describe, expect, test} from '@jest/globals'
import {EventEmitter} from 'node:events'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

import {interruptSignal, type SignalHost} from '../../src/cli/interrupt.js'
import {InterruptedError} from '../../src/errors.js'
import {repository, runNode} from './run-command.js'

class FakeHost extends EventEmitter implements SignalHost {
  readonly exits: number[] = []
  printed = ''
  readonly stderr = {write: (text: string): string => (this.printed += text)}
  exit(code: number): void {
    this.exits.push(code)
  }
}

describe('interruptSignal', () => {
  test.each(['SIGINT', 'SIGTERM'])('the first %s asks the work to stop', (name) => {
    const host = new FakeHost()
    const {signal} = interruptSignal(host)
    expect(signal.aborted).toBe(false)
    host.emit(name, name)
    expect(signal.aborted).toBe(true)
    expect(() => signal.throwIfAborted()).toThrow(InterruptedError)
    expect(host.printed).toBe('Stopping after this batch; press Ctrl+C again to leave at once\n')
    expect(host.exits).toEqual([])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('the second, a %s, leaves at once with %d', (name, code) => {
    const host = new FakeHost()
    interruptSignal(host)
    host.emit('SIGINT', 'SIGINT')
    host.emit(name, name)
    expect(host.exits).toEqual([code])
  })

  test('after dispose the signals are Node’s again', () => {
    const host = new FakeHost()
    const {dispose, signal} = interruptSignal(host)
    dispose()
    host.emit('SIGINT', 'SIGINT')
    expect(signal.aborted).toBe(false)
    expect(host.listenerCount('SIGINT') + host.listenerCount('SIGTERM')).toBe(0)
  })
})

test('real signals: the first is survived, the second ends the process', async () => {
  const module = pathToFileURL(join(repository, 'dist', 'cli', 'interrupt.js')).href
  const script = `
    const {interruptSignal} = await import(${JSON.stringify(module)})
    const {signal} = interruptSignal()
    setInterval(() => process.kill(process.pid, 'SIGINT'), 50)
    signal.addEventListener('abort', () => console.log('asked to stop'))
  `
  const result = await runNode(['--input-type=module', '--eval', script])
  expect(result.stdout).toBe('asked to stop\n')
  expect(result.code).toBe(130)
})
