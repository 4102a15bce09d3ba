import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {access, readFile} from 'node:fs/promises'
import {type DeviceChoice} from '../../src/backend/devices.js'
import {InterruptedError, RecipeError} from '../../src/errors.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {resumeRun} from '../../src/recipe/resume-run.js'
import {type RunEvent} from '../../src/recipe/run-options.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {gpuAvailable} from '../support/gpu.js'
import {writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {untimed} from '../support/untimed.js'
import {workDirectory} from '../support/work-directory.js'

const STEPS = 7
const WARMUP = 3

// d 32, E 64, N 8, two layers: 64 − round(0.95 · 64) channels, 8 − round(0.75 · 8) states
const SPARSE = {method: 'sparse-dimension', freeze_channels: 0.95, rank: 3, warmup_steps: WARMUP}
const [CHANNELS, STATES] = [3, 2]
const LORA_IN = 2 * 2 * (128 + 32)
const LORA_OUT = 2 * 3 * (64 + 32)

describe.each<DeviceChoice>(['cpu', ...(gpuAvailable ? (['gpu'] as const) : [])])('on device %s', (device) => {
  const inWork = workDirectory()
  let recipe = ''

  const write = async (name: string, maxSteps: number): Promise<string> =>
    writeRecipe(inWork(`${name}.yaml`), {
      adapters: [{method: 'lora', targets: ['in_proj'], rank: 2, alpha: 4}, SPARSE],
      more: {checkpoints: {every: 3, keep: 3}, seed: 5},
      output: inWork(name),
      train: await writeRows(inWork('rows.jsonl'), unevenRows([20, 33, 14, 40, 23, 35])),
      training: {
        epochs: 3,
        max_steps: maxSteps,
        optimizer: {learning_rate: 0.01},
        schedule: {name: 'linear', warmup: 0},
      },
    })

  const run = async (
    out: string,
    signal?: AbortSignal,
    report: (event: RunEvent) => void = () => {},
  ): Promise<unknown> =>
    runRecipe({
      device,
      recipe: {...(await loadRecipe(recipe)).recipe, output_dir: inWork(out)},
      report,
      ...(signal && {signal}),
    })

  const filesOf = async (out: string): Promise<Record<string, unknown>> => ({
    adapter: await readFile(inWork(out, 'adapter', 'adapter.safetensors'), 'hex'),
    manifest: await readFile(inWork(out, 'adapter', 'adapter.json'), 'utf8'),
    metrics: await untimed(inWork(out, 'metrics.jsonl')),
  })

  beforeAll(async () => {
    recipe = await write('whole', STEPS)
    await run('whole')
  })

  test('a run changes what it trains after the warm-up, and says so', async () => {
    const {settings, values} = await readAdapter(inWork('whole', 'adapter'))
    const [, sparse] = settings
    if (sparse.method !== 'sparse-dimension') throw new Error('expected sparse-dimension')
    expect(sparse.selection?.map(({channels, states}) => [channels.length, states.map(({length}) => length)])).toEqual(
      Array.from({length: 2}, () => [CHANNELS, Array.from({length: CHANNELS}, () => STATES)]),
    )
    expect(
      [...values].filter(([name]) => /adapters.1.layers.0.*values/.test(name)).map(([, {shape}]) => shape),
    ).toEqual([
      [CHANNELS, STATES],
      [8, CHANNELS],
      [8, CHANNELS],
    ])
    const lines = await untimed(inWork('whole', 'metrics.jsonl'))
    const trainable = LORA_IN + LORA_OUT + 2 * (CHANNELS * STATES + 2 * 8 * CHANNELS)
    expect(lines).toContain(JSON.stringify({event: 'phase', methods: ['sparse-dimension'], step: WARMUP, trainable}))
  })

  test('the schedule begins anew, and the other adapter goes on', async () => {
    const rates: number[] = []
    let before = ''
    await run('watched', undefined, (event) => {
      if (event.event === 'step') rates.push(event.learning_rate)
      if (event.event === 'phase') before = event.methods.join()
    })
    expect(before).toBe('sparse-dimension')
    const linear = (step: number, steps: number): number => 0.01 * (1 - step / steps)
    const expected = [0, 1, 2].map((step) => linear(step, STEPS)).concat([0, 1, 2, 3].map((step) => linear(step, 4)))
    for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[step], 12)
    const {values} = await readAdapter(inWork('watched', 'adapter'))
    // After four steps at 0.01 at most, a value that started as zero is below their sum; one that went on may be above.
    const most = (part: RegExp): number =>
      Math.max(...[...values].flatMap(([name, value]) => (part.test(name) ? [...value.values].map(Math.abs) : [])))
    const since = [0, 1, 2, 3].reduce((sum, step) => sum + linear(step, 4), 0)
    expect(most(/adapters\.1\..*lora_B/)).toBeLessThanOrEqual(since * 1.05)
    expect(most(/adapters\.0\..*lora_B/)).toBeGreaterThan(since)
  })

  const STOPS: [string, (event: RunEvent) => boolean][] = [
    ['at the last step of the warm-up', (event) => event.event === 'step' && event.step === WARMUP],
    ['while warming up', (event) => event.event === 'step' && event.step === 2],
    ['when the phase has begun', (event) => event.event === 'phase'],
    ['after it', (event) => event.event === 'step' && event.step === 5],
  ]
  // The loop is the same on both; one stop shows that the GPU's buffers change as well.
  test.each(device === 'cpu' ? STOPS : STOPS.slice(0, 1))(
    'a run that is stopped %s goes on to the same bytes',
    async (name, stop) => {
      const out = name.replaceAll(' ', '-')
      const controller = new AbortController()
      const stopped = run(out, controller.signal, (event) => void (stop(event) && controller.abort()))
      await expect(stopped).rejects.toThrow(InterruptedError)
      await resumeRun({report: () => {}, run: inWork(out)})
      expect(await filesOf(out)).toEqual(await filesOf('whole'))
      expect(tf.engine().state.numTensors).toBe(0)
    },
  )

  test('a run that ends with its warm-up is refused before its first file', async () => {
    const {recipe: short} = await loadRecipe(await write('short', WARMUP))
    const refused = runRecipe({device, recipe: short, report: () => {}})
    await expect(refused).rejects.toThrow(RecipeError)
    await expect(refused).rejects.toMatchObject({
      faults: [{message: expect.stringContaining('for 3 steps'), where: 'adapters.1 (sparse-dimension)'}],
    })
    await expect(access(inWork('short'))).rejects.toThrow()
  })
})
