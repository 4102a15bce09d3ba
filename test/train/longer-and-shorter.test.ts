/** What ends a run before its epochs do, what is kept of it, and how one that is done goes on. */
import {beforeAll, describe, expect, test} from '@jest/globals'
import {readFile, writeFile} from 'node:fs/promises'
import {InterruptedError} from '../../src/errors.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {resumeRun} from '../../src/recipe/resume-run.js'
import {standingOf} from '../../src/report/runs/run-status.js'
import {processes} from '../../src/cli/processes.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {type RunEvent, type RunSummary} from '../../src/recipe/run-options.js'
import {runCommand} from '../cli/run-command.js'
import {jsonOf, readMetrics, type RecipeParts, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {untimed} from '../support/untimed.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
let parts: RecipeParts

beforeAll(async () => {
  parts = {
    data: {validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12, 7]))},
    more: {checkpoints: {every: 2, keep: 3}, eval: {at_start: false, every: 1}, seed: 5},
    output: '',
    train: await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15, 11])),
    training: {batch_size: 2, epochs: 4, max_steps: null, schedule: {name: 'constant', warmup: 0}},
  }
})

/** Metrics without what says how long a run was meant to be: its plan, and gauges, of which its last step has one. */
async function stepsAndEvaluations(name: string): Promise<string[]> {
  const lines = await untimed(inWork(name, 'metrics.jsonl'))
  return lines.filter((line) => !/"event":"(plan|gauge)"/.test(line))
}

/** So fast that it soon overshoots. */
const FAST = {optimizer: {learning_rate: 0.3}}

/** Writes a recipe named after its run, with these training settings more. */
const recipeOf = (
  name: string,
  training: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<string> =>
  writeRecipe(inWork(`${name}.yaml`), {
    ...parts,
    more: {...parts.more, ...more},
    output: inWork(name),
    training: {...parts.training, ...training},
  })

const train = async (name: string, training: Record<string, unknown>): Promise<Record<string, unknown>> =>
  jsonOf(await runCommand(['train', await recipeOf(name, training), '--device', 'cpu', '--json']))

async function trainHere(name: string, training: Record<string, unknown>): Promise<RunSummary> {
  const {recipe} = await loadRecipe(await recipeOf(name, training))
  return runRecipe({device: 'cpu', recipe, report: () => {}})
}

const adapterOf = (name: string): Promise<string> => readFile(inWork(name, 'adapter', 'adapter.safetensors'), 'hex')

async function stoppedAt(
  name: string,
  training: Record<string, unknown>,
  stop: (event: RunEvent) => boolean,
): Promise<void> {
  const {recipe} = await loadRecipe(await recipeOf(name, training))
  const controller = new AbortController()
  const report = (event: RunEvent): void => void (stop(event) && controller.abort())
  await expect(runRecipe({device: 'cpu', recipe, report, signal: controller.signal})).rejects.toThrow(InterruptedError)
}

describe('early stopping', () => {
  const stopping = {...FAST, early_stopping: {patience: 2}, epochs: 8}

  test('ends the run, with the adapter of the lowest validation loss, and goes on exactly if it is stopped before', async () => {
    const report = await train('early', stopping)
    const {evaluations, steps} = await readMetrics(inWork('early'))
    const losses = evaluations.map(({loss}) => Number(loss))
    const lowest = losses.indexOf(Math.min(...losses))
    expect(report).toMatchObject({best: {loss: losses[lowest], step: lowest + 1}, steps: lowest + 3})
    expect(lowest + 3).toBeLessThan(24) // or nothing was stopped
    expect(steps.at(-1)).toMatchObject({best_step: lowest + 1, event: 'early_stop', step: lowest + 3})

    // The adapter is that of the best step: a run of so many steps ends with it.
    await trainHere('best', {...stopping, early_stopping: null, max_steps: lowest + 1})
    expect(await adapterOf('early')).toBe(await adapterOf('best'))
    await trainHere('last', {...stopping, keep: 'last'})
    expect(await adapterOf('last')).not.toBe(await adapterOf('early'))

    await stoppedAt('early-stopped', stopping, (event) => event.event === 'step' && event.step === lowest + 2)
    const statusOf = async (name: string): Promise<string> => (await standingOf(inWork(name), processes)).status
    expect(await statusOf('early-stopped')).toBe('interrupted')
    await resumeRun({report: () => {}, run: inWork('early-stopped')})
    expect([await statusOf('early-stopped'), await statusOf('early')]).toEqual(['finished', 'finished'])
    expect(await adapterOf('early-stopped')).toBe(await adapterOf('early'))
    expect(await untimed(inWork('early-stopped', 'metrics.jsonl'))).toEqual(
      await untimed(inWork('early', 'metrics.jsonl')),
    )
    // And what has ended stays ended.
    await resumeRun({report: () => {}, run: inWork('early')})
    expect(await adapterOf('early-stopped')).toBe(await adapterOf('early'))
  })

  test('and keep: best need a validation set', async () => {
    const file = await writeRecipe(inWork('none.yaml'), {
      ...parts,
      data: {},
      output: inWork('none'),
      training: stopping,
    })
    const {code, stderr} = await runCommand(['train', file, '--set', 'train.keep=best', '--device', 'cpu'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/train\.early_stopping: needs a validation loss[^]*train\.keep: needs a validation loss/)
  })
})

describe('a run that is done', () => {
  test('goes on for more epochs to the bytes of a longer run', async () => {
    await trainHere('long', {})
    await trainHere('grown', {epochs: 2})
    const {code, stderr} = await runCommand(['resume', inWork('grown'), '--epochs', '+2'])
    expect({code, stderr}).toMatchObject({code: 0, stderr: expect.stringContaining('going on after step 6')})
    expect(await adapterOf('grown')).toBe(await adapterOf('long'))
    expect(await stepsAndEvaluations('grown')).toEqual(await stepsAndEvaluations('long'))
    const recipe = (name: string): Promise<string> => readFile(inWork(name, 'recipe.resolved.yaml'), 'utf8')
    expect(await recipe('grown')).toBe((await recipe('long')).replaceAll(inWork('long'), inWork('grown')))
  })

  test('may get another schedule with it, but one that is not done may not', async () => {
    await stoppedAt('half', {epochs: 2}, (event) => event.event === 'step' && event.step === 3)
    const more = ['train.epochs=3', 'train.schedule.name=linear']
    await expect(resumeRun({overrides: more, report: () => {}, run: inWork('half')})).rejects.toMatchObject({
      faults: [{where: 'train.epochs'}, {where: 'train.schedule.name'}],
    })
    await resumeRun({report: () => {}, run: inWork('half')})
    const {steps} = await resumeRun({overrides: more, report: () => {}, run: inWork('half')})
    expect(steps).toBe(9)
  })

  test('is not made longer by epochs where something else ends it', async () => {
    await trainHere('capped', {max_steps: 2})
    const {code, stderr} = await runCommand(['resume', inWork('capped'), '--epochs', '+1'])
    expect(code).toBe(2)
    expect(stderr).toContain('More epochs would not make the run longer: train.max_steps (2) ends it.')
    expect(stderr).toContain('--set train.max_steps=null --set train.epochs=5')
    const wrong = await runCommand(['resume', inWork('capped'), '--epochs', 'two'])
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--epochs is two, expected a number above 0'),
    })
  })
})

describe('what ends a run', () => {
  test('tokens: at the step that reaches them, of steps of so many tokens', async () => {
    const {steps} = await trainHere('tokens', {max_tokens: 150, tokens_per_step: 40})
    const {evaluations, steps: lines} = await readMetrics(inWork('tokens'))
    const tokens = lines.map((line) => Number(line['tokens']))
    const total = tokens.reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThanOrEqual(150)
    expect(total - Number(tokens.at(-1))).toBeLessThan(150)
    expect(lines).toHaveLength(steps)
    expect(evaluations).toHaveLength(steps)
    expect(Math.max(...tokens)).toBeGreaterThan(2 * 20) // more than one batch
  })

  test('time: after the step in which it is over, with an evaluation at the end', async () => {
    const summary = await trainHere('time', {epochs: 1000, max_minutes: 1e-6})
    const {evaluations} = await readMetrics(inWork('time'))
    expect(summary.steps).toBe(1)
    expect(evaluations.map(({step}) => step)).toEqual([1])
    const resumed = await resumeRun({report: () => {}, run: inWork('time')})
    expect(resumed.steps).toBe(1)
  })

  test('not tokens and batches at once', async () => {
    const recipe = await recipeOf('both', {gradient_accumulation: 2, tokens_per_step: 40})
    const {code, stderr} = await runCommand(['recipe', 'validate', recipe])
    expect(code).toBe(3)
    expect(stderr).toContain('a step cannot be of 2 batches (train.gradient_accumulation) and of 40 tokens')
  })
})

test('samples are written at each evaluation, and by a run that goes on the same', async () => {
  await writeFile(
    inWork('texts.jsonl'),
    ['one two three', 'four five six'].map((text) => `{"text": "${text}"}\n`).join(''),
  )
  const texts = {
    adapters: [{alpha: 8, method: 'lora', rank: 2, targets: ['out_proj']}],
    data: {},
    model: 'models/tiny-mamba',
    more: {...parts.more, eval: {every: 1, samples: {max_new_tokens: 4, prompts: ['one two', 'four']}}},
    train: inWork('texts.jsonl'),
    training: {...FAST, batch_size: 1, epochs: 1, max_steps: 2},
  }
  const file = await writeRecipe(inWork('samples.yaml'), {...texts, output: inWork('samples')})
  jsonOf(await runCommand(['train', file, '--set', 'data.format=text', '--device', 'cpu', '--json']))
  const samples = await readFile(inWork('samples', 'samples.jsonl'), 'utf8')
  const lines = samples
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.map(({prompt, step}) => `${String(step)} ${String(prompt)}`)).toEqual(
    [0, 1, 2].flatMap((step) => [`${step} one two`, `${step} four`]),
  )
  const [first] = lines
  const generated = ['generate', 'models/tiny-mamba', '-p', 'one two', '--max-new-tokens', '4', '--device', 'cpu']
  expect(first['text']).toBe(jsonOf(await runCommand([...generated, '--json']))['text'])
  expect(new Set(lines.map(({text}) => text)).size).toBeGreaterThan(2)

  const {recipe} = await loadRecipe(file, ['data.format=text', `output_dir=${inWork('samples-again')}`])
  const controller = new AbortController()
  let seen = 0
  const report = ({event}: RunEvent): void => void (event === 'sample' && ++seen === 3 && controller.abort())
  await expect(runRecipe({device: 'cpu', recipe, report, signal: controller.signal})).rejects.toThrow(InterruptedError)
  await resumeRun({report: () => {}, run: inWork('samples-again')})
  expect(await readFile(inWork('samples-again', 'samples.jsonl'), 'utf8')).toBe(samples)
})
