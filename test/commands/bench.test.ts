import {describe, expect, test} from '@jest/globals'
import {runCommand} from '../cli/run-command.js'
import {describeGpu} from '../support/gpu.js'
import {jsonOf, writeRecipe} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const SMALL = ['--preset', 'tiny', '--batch', '1', '--length', '16', '--steps', '1', '--warmup', '1']

const bench = (...more: string[]): ReturnType<typeof runCommand> => runCommand(['bench', ...SMALL, ...more])

describe('bench on the processor', () => {
  const inWork = workDirectory()

  test.each([
    ['train', {loss: expect.any(Number), trainable_parameters: 8 * 16 * (256 + 1024 + 512 + 48)}],
    ['forward', {loss: expect.any(Number), trainable_parameters: 0}],
    ['decode', {loss: null, trainable_parameters: 0}],
  ])('measures --mode %s', async (mode, more) => {
    const report = jsonOf(await bench('--device', 'cpu', '--mode', mode, '--json'))
    expect(report).toMatchObject({...more, batch: 1, length: 16, mode, peak_gpu_bytes: null, preset: 'tiny'})
    const {ms_per_step: ms, tokens_per_second: speed} = report as Record<string, number>
    expect(speed).toBeCloseTo(16_000 / ms, 6)
  })

  test('takes adapters, rows and tokens from a recipe', async () => {
    const recipe = await writeRecipe(inWork('recipe.yaml'), {
      adapters: [{form: 'y', method: 'state-offset'}],
      data: {max_length: 12},
      output: inWork('run'),
      train: inWork('rows.jsonl'),
      training: {batch_size: 3},
    })
    const few = ['bench', '--preset', 'tiny', '--steps', '1', '--warmup', '1', '--device', 'cpu', '--json']
    const report = jsonOf(await runCommand([...few, '--recipe', recipe]))
    expect(report).toMatchObject({batch: 3, length: 12, trainable_parameters: 8 * 512})
    const {code, stdout} = await runCommand([...few, '--recipe', recipe, '--rank', '4'])
    expect(code).toBe(2)
    expect(stdout).toMatch(/--rank[^]*--recipe/)
    expect((await runCommand([...few, '--recipe', recipe, '--mode', 'decode'])).stdout).toContain('a training step')
  })

  test('with nothing to train says what to type', async () => {
    const {code, stderr} = await bench('--device', 'cpu', '--method', 'none')
    expect(code).toBe(2)
    expect(stderr).toContain('--mode forward')
  })
})

describeGpu('bench on the GPU', () => {
  test('profiles every kernel of a step, and counts memory', async () => {
    const report = jsonOf(await bench('--device', 'gpu', '--profile', '--json'))
    const {kernels, peak_gpu_bytes: peak} = report as unknown as {
      kernels: {kernel: string; ms: number; share: number}[]
      peak_gpu_bytes: number
    }
    expect(peak).toBeGreaterThan(8e6)
    expect(kernels.reduce((sum, {share}) => sum + share, 0)).toBeCloseTo(1, 6)
    for (const name of ['selective scan', 'causal convolution', 'matrix product', 'RMS norm', 'AdamW']) {
      expect(kernels.map(({kernel}) => kernel).join('\n')).toContain(name)
    }
  })
})
