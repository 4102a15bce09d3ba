/** Runs with packed rows and with carried states, stopped and resumed through their files. */
import {describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {InterruptedError} from '../../src/errors.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {resumeRun} from '../../src/recipe/resume-run.js'
import {type RunEvent, type RunOptions} from '../../src/recipe/run-options.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {untimed} from '../support/untimed.js'
import {workDirectory} from '../support/work-directory.js'

const LENGTHS = [20, 33, 14, 40, 23, 35, 31, 18, 27, 30]
const NONE = LENGTHS.map(() => 0)

describe.each([
  [
    'packed rows',
    {max_length: 64, packing: true},
    /10 rows are packed into 5 of at most 64 tokens, which are 84\.7 % full/,
  ],
  [
    'carried states',
    {carry_state: true, max_length: 8},
    /10 rows are read in 37 pieces of at most 8 tokens, 2 at a time/,
  ],
])('a run with %s', (_name, data, note) => {
  const inWork = workDirectory()

  async function files(run: string): Promise<unknown[]> {
    return [
      await readFile(inWork(run, 'adapter', 'adapter.safetensors'), 'hex'),
      await untimed(inWork(run, 'metrics.jsonl')),
    ]
  }

  test('is stopped and goes on to the same bytes', async () => {
    const {recipe} = await loadRecipe(
      await writeRecipe(inWork('recipe.yaml'), {
        adapters: [
          {method: 'lora', targets: ['in_proj', 'x_proj'], rank: 4, alpha: 8, dropout: 0.1},
          {method: 'initial-state'},
        ],
        data: {
          shuffle: true,
          validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12, 7])),
          ...data,
        },
        more: {checkpoints: {every: 3, keep: 9}, eval: {every: 2}},
        output: inWork('whole'),
        train: await writeRows(inWork('rows.jsonl'), unevenRows(LENGTHS, NONE)),
        training: {batch_size: 2, epochs: 5, gradient_accumulation: 2, max_steps: 7},
      }),
    )
    const notes: string[] = []
    const run = (output: string, options: Pick<RunOptions, 'report' | 'signal'>): Promise<unknown> =>
      runRecipe({...options, device: 'cpu', recipe: {...recipe, output_dir: inWork(output)}})
    const hear = (event: RunEvent): void => void (event.event === 'note' && notes.push(event.text))
    await run('whole', {report: hear})
    expect(notes.join('\n')).toMatch(note)

    const controller = new AbortController()
    const report = (event: RunEvent): void => void (event.event === 'step' && event.step === 4 && controller.abort())
    await expect(run('stopped', {report, signal: controller.signal})).rejects.toThrow(InterruptedError)
    await resumeRun({report: () => {}, run: inWork('stopped')})
    expect(await files('stopped')).toEqual(await files('whole'))
  })
})
