import {describe, expect, test} from '@jest/globals'
import {createReporter} from '../../src/cli/progress.js'
import {RunProgress} from '../../src/cli/run-progress.js'
import {type RunEvent} from '../../src/recipe/run-options.js'
import {FakeClock, FakeTerminal} from './fake-terminal.js'

const step = (number: number, loss: number): RunEvent => ({
  elapsed_s: number,
  epoch: 0.1,
  event: 'step',
  grad_norm: 0.42,
  learning_rate: 1.8e-4,
  loss,
  step: number,
  supervised_tokens: 90,
  tokens: 100,
  tokens_per_second: 18_400,
})

async function lineAt(columns: number): Promise<string> {
  const stream = new FakeTerminal({columns})
  const clock = new FakeClock()
  const reporter = await createReporter({clock: clock.read, env: {TERM: 'xterm'}, platform: 'linux', stream})
  const progress = new RunProgress(reporter)
  progress.show({done: 0, event: 'plan', steps: 900, total: 1000, trainable: 10})
  progress.show({event: 'gauge', grad_norms: {}, memory_bytes: 7.1e9, step: 1})
  for (let number = 1; number <= 6; number++) {
    clock.now += 1000
    progress.show(step(number, number === 6 ? 1 : 2))
  }
  const {screen} = stream
  progress.finish()
  return screen.at(-1) ?? ''
}

describe('the line of a run', () => {
  test('has step, percent, loss and its average, rate, gradient, speed, memory and the time that is left', async () => {
    const line = await lineAt(160)
    const average = (2 * (0.9 + 0.81 + 0.729 + 0.6561 + 0.59049) * 0.1 + 0.1) / (1 - 0.9 ** 6)
    expect(line).toContain(
      ` 6/900 · 0% · loss 1.000 (avg ${average.toFixed(3)}) · lr 1.8e-4 · grad 0.42 · 18,400 tok/s · 7.1 GB · ETA 14m54s`,
    )
  })

  test('loses whole parts in a narrow terminal, the last ones first, and never wraps', async () => {
    for (const columns of [40, 60, 80, 100, 120]) {
      const line = await lineAt(columns)
      expect(line.length).toBeLessThanOrEqual(columns)
      expect(line).toMatch(/6\/900 · 0% · .*ETA 14m54s$/)
    }
    expect(await lineAt(80)).toContain('loss 1.000 (avg 1.787) · lr 1.8e-4 · ETA')
    expect(await lineAt(80)).not.toContain('GB')
  })
})
