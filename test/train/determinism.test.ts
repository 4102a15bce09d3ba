import {beforeAll, describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {runCommand} from '../cli/run-command.js'
import {jsonOf, type MetricsLine, readMetrics, writeRecipe, writeRows} from '../support/runs.js'
import {gpuAvailable} from '../support/gpu.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

/** What depends on the clock, and nothing else of a run may. */
const TIMES = ['elapsed_s', 'tokens_per_second']

/** Long enough rows and large enough batches that all threads take part in the kernels. */
const LENGTHS = [60, 60, 44, 60, 23, 60, 51, 60]

describe.each(['cpu', ...(gpuAvailable ? ['gpu'] : [])])('on device %s, a run', (device) => {
  const inWork = workDirectory()

  beforeAll(async () => {
    const recipe = await writeRecipe(inWork('recipe.yaml'), {
      adapters: [
        {method: 'lora', targets: ['in_proj', 'out_proj'], rank: 4, alpha: 8, dropout: 0.1},
        {method: 'lora', targets: ['x_proj.B', 'dt_proj', 'conv1d'], rank: 2, alpha: 4, rslora: true},
        {method: 'initial-state'},
      ],
      data: {shuffle: true, validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12, 7]))},
      more: {eval: {every: 2, at_start: true}, seed: 5},
      output: inWork('first'),
      train: await writeRows(inWork('rows.jsonl'), unevenRows(LENGTHS)),
      training: {batch_size: 4, epochs: 3, gradient_accumulation: 2, max_steps: 3},
    })
    const train = async (file: string, ...more: string[]): Promise<unknown> =>
      jsonOf(await runCommand(['train', file, '--device', device, '--json', ...more]))
    await train(recipe)
    await train(recipe, '--out', inWork('again'))
    await train(inWork('first', 'recipe.resolved.yaml'), '--out', inWork('resolved'))
    await train(recipe, '--out', inWork('other-seed'), '--set', 'seed=6')
  })

  const adapterOf = (run: string): Promise<Buffer> => readFile(inWork(run, 'adapter', 'adapter.safetensors'))

  const metricsOf = async (run: string): Promise<MetricsLine[]> => {
    const {evaluations, steps} = await readMetrics(inWork(run))
    return [...steps, ...evaluations].map((line) =>
      Object.fromEntries(Object.entries(line).filter(([key]) => !TIMES.includes(key))),
    )
  }

  test.each([
    ['repeated', 'again'],
    ['repeated from its resolved recipe', 'resolved'],
  ])('%s writes the same bytes', async (_, run) => {
    expect((await adapterOf(run)).equals(await adapterOf('first'))).toBe(true)
    expect(await readFile(inWork(run, 'adapter', 'adapter.json'))).toEqual(
      await readFile(inWork('first', 'adapter', 'adapter.json')),
    )
    expect(await metricsOf(run)).toEqual(await metricsOf('first'))
  })

  test('with another seed is another run', async () => {
    expect((await adapterOf('other-seed')).equals(await adapterOf('first'))).toBe(false)
  })

  test('resolves its recipe to the same text, the output directory apart', async () => {
    const textOf = async (run: string): Promise<string> =>
      (await readFile(inWork(run, 'recipe.resolved.yaml'), 'utf8')).replaceAll(inWork(run), '')
    expect(await textOf('resolved')).toBe(await textOf('first'))
  })
})
