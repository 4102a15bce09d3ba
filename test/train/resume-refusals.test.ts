import {beforeAll, beforeEach, describe, expect, test} from '@jest/globals'
import {appendFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile} from 'node:fs/promises'
import {FileError, MismatchError} from '../../src/errors.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {latestRun} from '../../src/recipe/latest-run.js'
import {resumeRun} from '../../src/recipe/resume-run.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {runCommand} from '../cli/run-command.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {untimed} from '../support/untimed.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const run = (): string => inWork('run')
const checkpoint = (step: number): string => inWork('run', 'checkpoints', `step-0000000${step}.safetensors`)

/** A run of six steps that was stopped after the fifth, with checkpoints after 3, 4 and 5; and the same run, whole. */
beforeAll(async () => {
  const file = await writeRecipe(inWork('recipe.yaml'), {
    more: {checkpoints: {every: 1, keep: 3}},
    output: inWork('stopped'),
    train: await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15])),
    training: {epochs: 3, max_steps: 6},
  })
  const {recipe} = await loadRecipe(file)
  await runRecipe({device: 'cpu', recipe: {...recipe, output_dir: inWork('whole')}, report: () => {}})
  const controller = new AbortController()
  const stopped = runRecipe({
    device: 'cpu',
    recipe,
    report: (event) => void (event.event === 'step' && event.step === 5 && controller.abort()),
    signal: controller.signal,
  })
  await expect(stopped).rejects.toThrow('Stopped after step 5 of 6')
})

beforeEach(async () => {
  for (const name of ['run', 'fork']) await rm(inWork(name), {force: true, recursive: true})
  await cp(inWork('stopped'), run(), {recursive: true})
})

const notes: string[] = []

async function resume(parts: Partial<Parameters<typeof resumeRun>[0]> = {}): Promise<void> {
  notes.length = 0
  await resumeRun({
    report(event) {
      if (event.event === 'note') notes.push(event.text)
    },
    run: run(),
    ...parts,
  })
}

const adapterOf = (name: string): Promise<string> => readFile(inWork(name, 'adapter', 'adapter.safetensors'), 'hex')

async function expectWhole(): Promise<void> {
  expect(await adapterOf('run')).toBe(await adapterOf('whole'))
  expect(await untimed(inWork('run', 'metrics.jsonl'))).toEqual(await untimed(inWork('whole', 'metrics.jsonl')))
}

/** Changes one bit of a file. */
async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file)
  bytes[at] ^= 1
  await writeFile(file, bytes)
}

describe('a change of settings', () => {
  test('that would change the numbers is refused with all differences, and nothing is touched', async () => {
    const before = await readFile(inWork('run', 'metrics.jsonl'))
    const overrides = ['train.optimizer.learning_rate=1e-4', 'train.clip_norm=null', 'eval.every=2']
    await expect(resume({overrides})).rejects.toMatchObject({
      exit: 8,
      faults: [
        {message: '0.001 in the run, 0.0001 now', where: 'train.optimizer.learning_rate'},
        {message: '1 in the run, null now', where: 'train.clip_norm'},
      ],
      hint: expect.stringContaining(`mambatune resume ${run()} --fork`),
    })
    expect(await readFile(inWork('run', 'metrics.jsonl'))).toEqual(before)
    await resume()
    await expectWhole()
  })

  test('that changes no number is taken, and kept in the recipe', async () => {
    await resume({overrides: ['checkpoints.every=2', 'train.checkpointing=block', 'train.on_nonfinite=skip']})
    await expectWhole()
    const {recipe} = await loadRecipe(inWork('run', 'recipe.resolved.yaml'))
    expect(recipe).toMatchObject({checkpoints: {every: 2, keep: 3}, train: {checkpointing: 'block'}})
  })

  test('goes on in a new directory with --fork, from the same step, and leaves the run as it is', async () => {
    const overrides = ['train.optimizer.learning_rate=1e-4']
    await resume({fork: inWork('fork'), overrides})
    expect(await adapterOf('fork')).not.toBe(await adapterOf('whole'))
    const [forked, whole] = await Promise.all(['fork', 'whole'].map((name) => untimed(inWork(name, 'metrics.jsonl'))))
    expect(forked.slice(0, 5)).toEqual(whole.slice(0, 5))
    expect(forked).toHaveLength(whole.length)
    expect(await readdir(run())).toEqual(await readdir(inWork('stopped')))
    expect(await adapterOf('run')).toBe(await adapterOf('stopped'))
  })

  test('does not fork into a directory that is in use', async () => {
    await mkdir(inWork('fork'))
    await writeFile(inWork('fork', 'mine'), '')
    await expect(resume({fork: inWork('fork')})).rejects.toThrow(FileError)
  })
})

describe('other rows', () => {
  test('are refused', async () => {
    const other = await writeRows(inWork('other.jsonl'), unevenRows([12, 9, 20, 16]))
    const message = 'The run .* cannot go on as it began'
    await expect(resume({overrides: [`data.train=${other}`]})).rejects.toThrow(new RegExp(message))
    await expect(resume({overrides: [`data.train=${other}`]})).rejects.toThrow(MismatchError)
    expect(await readdir(run())).toEqual(await readdir(inWork('stopped')))
  })

  test('that are the same rows in another file are taken', async () => {
    await cp(inWork('rows.jsonl'), inWork('moved.jsonl'))
    await resume({overrides: [`data.train=${inWork('moved.jsonl')}`]})
    await expectWhole()
  })
})

describe('a damaged checkpoint', () => {
  test.each<[string, (file: string) => Promise<void>]>([
    ['is cut off', (file) => truncate(file, 1000)],
    ['is empty', (file) => truncate(file, 0)],
    ['has a wrong bit in its length', (file) => flipBit(file, 1)],
    ['has a wrong bit in its state', (file) => flipBit(file, 200)],
    ['has a wrong bit in its last tensor', async (file) => flipBit(file, (await readFile(file)).length - 3)],
    ['has more at its end', (file) => appendFile(file, 'x')],
  ])('that %s: the one before it is used, with a message, and the damaged one kept', async (_, damage) => {
    await damage(checkpoint(5))
    await resume()
    expect(notes.filter((note) => note.includes('cannot be used'))).toEqual([
      expect.stringContaining(`${checkpoint(5)} cannot be used (`),
    ])
    expect(notes).toContain('going on after step 4')
    await expectWhole()
    expect(await readdir(inWork('run', 'checkpoints'))).toContain('step-00000005.safetensors.damaged')
  })

  test('and another: the third is used', async () => {
    await flipBit(checkpoint(5), 300)
    await truncate(checkpoint(4), 5)
    await resume()
    expect(notes).toContain('going on after step 3')
    await expectWhole()
  })

  test('when all are: says why of each, and how to begin anew', async () => {
    for (const step of [3, 4, 5]) await flipBit(checkpoint(step), 300)
    await expect(resume()).rejects.toMatchObject({
      exit: 4,
      faults: [5, 4, 3].map((step) => ({message: expect.any(String), where: checkpoint(step)})),
      hint: expect.stringContaining('--out NEW_DIRECTORY'),
    })
  })
})

describe('metrics', () => {
  test('that lost their end since the last checkpoint: the checkpoint that saw as much is used', async () => {
    const text = await readFile(inWork('run', 'metrics.jsonl'), 'utf8')
    await truncate(inWork('run', 'metrics.jsonl'), text.length - 3)
    await resume()
    expect(notes).toContain('going on after step 4')
    await expectWhole()
  })

  test('with lines after the checkpoint, half a line among them, are cut back', async () => {
    await appendFile(inWork('run', 'metrics.jsonl'), '{"event":"step","step":6}\n{"event":"st')
    await resume()
    await expectWhole()
  })
})

describe('the command', () => {
  test('without a run takes the one that wrote last', async () => {
    await mkdir(inWork('runs'), {recursive: true})
    await cp(inWork('whole'), inWork('runs', 'older'), {preserveTimestamps: true, recursive: true})
    await cp(inWork('stopped'), inWork('runs', 'newer'), {preserveTimestamps: true, recursive: true})
    await appendFile(inWork('runs', 'newer', 'metrics.jsonl'), '\n')
    expect(await latestRun(inWork('runs'))).toBe(inWork('runs', 'newer'))
    await expect(latestRun(inWork('nowhere'))).rejects.toThrow(FileError)
  })

  test('names what is wrong with a directory that holds no run', async () => {
    const {error} = jsonOf(await runCommand(['resume', inWork(), '--json']), 4)
    expect(error).toMatchObject({code: 'E_FILE', message: expect.stringContaining('holds no run')})
  })
})
