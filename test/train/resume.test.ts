import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {readdir, readFile} from 'node:fs/promises'
import {type DeviceChoice} from '../../src/backend/devices.js'
import {InterruptedError} from '../../src/errors.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {resumeRun} from '../../src/recipe/resume-run.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {type RunEvent, type RunOptions} from '../../src/recipe/run-options.js'
import {runCommand} from '../cli/run-command.js'
import {gpuAvailable} from '../support/gpu.js'
import {untimed} from '../support/untimed.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

/** Rows of three effective batches, the last of one micro-batch only. */
const LENGTHS = [20, 33, 14, 40, 23, 35, 31, 18, 27, 30]

const STEPS = 7

describe.each<DeviceChoice>(['cpu', ...(gpuAvailable ? (['gpu'] as const) : [])])('on device %s, a run', (device) => {
  const inWork = workDirectory()
  let recipe = ''

  beforeAll(async () => {
    recipe = await writeRecipe(inWork('recipe.yaml'), {
      adapters: [
        {method: 'lora', targets: ['in_proj', 'out_proj'], rank: 4, alpha: 8, dropout: 0.1},
        {method: 'lora', targets: ['x_proj.B', 'dt_proj', 'conv1d'], rank: 2, alpha: 4, rslora: true, init: 'pissa'},
        {method: 'lora', targets: ['x_proj.C', 'out_proj'], rank: 2, alpha: 4, dora: true, lora_plus: 4},
        {method: 'vera', targets: ['in_proj'], rank: 8, learning_rate: 0.02},
        {method: 'initial-state'},
      ],
      data: {shuffle: true, validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12, 7]))},
      more: {checkpoints: {every: 3, keep: 2}, eval: {every: 2, at_start: true}, seed: 5},
      output: inWork('whole'),
      train: await writeRows(inWork('rows.jsonl'), unevenRows(LENGTHS)),
      training: {batch_size: 2, epochs: 3, gradient_accumulation: 2, max_steps: STEPS},
    })
    jsonOf(await runCommand(['train', recipe, '--device', device, '--json']))
  })

  const filesOf = async (run: string): Promise<Record<string, unknown>> => ({
    adapter: await readFile(inWork(run, 'adapter', 'adapter.safetensors'), 'hex'),
    manifest: await readFile(inWork(run, 'adapter', 'adapter.json'), 'utf8'),
    metrics: await untimed(inWork(run, 'metrics.jsonl')),
    recipe: (await readFile(inWork(run, 'recipe.resolved.yaml'), 'utf8')).replaceAll(inWork(run), ''),
  })

  /** Options of a run that stops when `stop` says so of an event. */
  function stopping(stop: (event: RunEvent) => boolean): Pick<RunOptions, 'report' | 'signal'> {
    const controller = new AbortController()
    return {report: (event) => void (stop(event) && controller.abort()), signal: controller.signal}
  }

  const begin = async (out: string, stop: (event: RunEvent) => boolean): Promise<void> => {
    const loaded = await loadRecipe(recipe)
    const begun = runRecipe({...stopping(stop), device, recipe: {...loaded.recipe, output_dir: inWork(out)}})
    await expect(begun).rejects.toThrow(InterruptedError)
  }

  test('that never stopped keeps its last checkpoints, and no lock', async () => {
    expect((await readdir(inWork('whole'))).sort()).toEqual(
      ['adapter', 'checkpoints', 'metrics.jsonl', 'recipe.resolved.yaml'].sort(),
    )
    expect((await readdir(inWork('whole', 'checkpoints'))).sort()).toEqual([
      'step-00000006.safetensors',
      'step-00000007.safetensors',
    ])
  })

  test.each<[string, (event: RunEvent) => boolean]>([
    ['after a step', (event) => event.event === 'step' && event.step === 4],
    ['before the evaluation of a step', (event) => event.event === 'step' && event.step === 2],
    ['during an evaluation', (event) => event.event === 'evaluating' && event.done === 2],
    ['after its last step', (event) => event.event === 'step' && event.step === STEPS],
  ])('stopped %s goes on, in another process, to the same bytes', async (name, stop) => {
    const out = name.replaceAll(' ', '-')
    let begun = false
    // The evaluation before the first step is let pass: a run that has not begun leaves nothing.
    await begin(out, (event) => {
      begun ||= event.event === 'step'
      return begun && stop(event)
    })
    jsonOf(await runCommand(['resume', inWork(out), '--json']))
    expect(await filesOf(out)).toEqual(await filesOf('whole'))
  })

  test('stopped again and again goes on to the same bytes', async () => {
    const everyOther = (): ((event: RunEvent) => boolean) => {
      let steps = 0
      return (event) => event.event === 'step' && ++steps === 2
    }
    await begin('often', everyOther())
    for (let times = 0; times < 2; times++) {
      const resumed = resumeRun({...stopping(everyOther()), run: inWork('often')})
      await expect(resumed).rejects.toThrow(InterruptedError)
    }
    await resumeRun({report: () => {}, run: inWork('often')})
    expect(await filesOf('often')).toEqual(await filesOf('whole'))
    expect(tf.engine().state.numTensors).toBe(0) // tf.memory asks a device, and the GPU is closed
  })

  test('that is done is written once more, the same', async () => {
    const before = await filesOf('whole')
    jsonOf(await runCommand(['resume', inWork('whole'), '--json']))
    expect(await filesOf('whole')).toEqual(before)
  })
})
