import {beforeAll, expect, test} from '@jest/globals'
import {cp, readdir, readFile, rm} from 'node:fs/promises'
import {pathToFileURL} from 'node:url'
import {repository, runCommand, type RunResult} from '../cli/run-command.js'
import {describeGpu} from '../support/gpu.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {untimed} from '../support/untimed.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** In the order of the steps; the batches of step 3, and those of step 6 after it, are the largest. */
const LENGTHS = [20, 20, 22, 22, 120, 120]

const STEPS = 6

interface Failure {
  readonly code: string
  readonly hint: string
  readonly message: string
}

/** A run with a checkpoint after each step. */
async function train(out: string, more: readonly string[] = [], env: Record<string, string> = {}): Promise<RunResult> {
  const recipe = await writeRecipe(inWork(`${out}.yaml`), {
    data: {shuffle: false},
    more: {checkpoints: {every: 1}},
    output: inWork(out),
    train: inWork('rows.jsonl'),
    training: {checkpointing: 'none', epochs: 2, max_steps: STEPS},
  })
  return runCommand(['train', recipe, '--device', 'gpu', '--json', ...more], {env})
}

const losing = (batch: number): Record<string, string> => ({
  MAMBATUNE_GPU_FAULT: `lost@${batch}`,
  NODE_OPTIONS: `--import=${pathToFileURL(`${repository}/scripts/faulty-gpu.mjs`).href}`,
})

const errorOf = (result: RunResult, code: number): Failure => (jsonOf(result, code) as {error: Failure}).error

/** That the run can go on from the checkpoint that is said to be kept, to the bytes of a run without trouble. */
async function expectToGoOn(out: string, {message}: Failure): Promise<void> {
  const [, kept] = /The checkpoint after step (\d+) is kept\./.exec(message) ?? []
  expect(await readdir(inWork(out, 'checkpoints'))).toContain(`step-${kept.padStart(8, '0')}.safetensors`)
  expect((await readdir(inWork(out), {recursive: true})).filter((name) => name.endsWith('.partial'))).toEqual([])
  const again = await runCommand(['resume', inWork(out), '--json'])
  expect(again.stderr).toContain(`going on after step ${kept}\n`)
  jsonOf(again)
  const [adapter, whole] = await Promise.all(
    [out, 'whole'].map((run) => readFile(inWork(run, 'adapter', 'adapter.safetensors'), 'hex')),
  )
  expect(adapter).toBe(whole)
  expect(await untimed(inWork(out, 'metrics.jsonl'))).toEqual(await untimed(inWork('whole', 'metrics.jsonl')))
}

describeGpu('a run on a GPU', () => {
  beforeAll(async () => {
    await writeRows(inWork('rows.jsonl'), unevenRows(LENGTHS))
    jsonOf(await train('whole'))
  })

  test('that is lost in the middle of a step: exit code 5, the step, what is kept and how to go on', async () => {
    // Batches of commands come before the first step too, and their number depends on the machine.
    let error: Failure | null = null
    for (let batch = 90; !error?.message.includes('is kept'); batch += 10) {
      await rm(inWork('lost'), {force: true, recursive: true})
      error = errorOf(await train('lost', [], losing(batch)), 5)
    }
    expect(error).toMatchObject({
      code: 'E_DEVICE',
      hint: expect.stringMatching(new RegExp(`^mambatune resume ${inWork('lost')}, from that checkpoint\n`)),
      message: expect.stringMatching(/^The GPU was lost: .*\. Stopped after step [1-5] of 6\. The checkpoint after/),
    })
    expect((await readdir(inWork('lost'))).sort()).toEqual(['checkpoints', 'metrics.jsonl', 'recipe.resolved.yaml'])
    await expectToGoOn('lost', error)
  })

  test('whose memory is used up in the middle of a step: exit code 6, and goes on where there is more', async () => {
    const error = errorOf(await train('small', ['--gpu-memory', '0.0009']), 6)
    expect(error).toMatchObject({
      code: 'E_MEMORY',
      message: expect.stringContaining('Stopped after step 2 of 6.'),
    })
    await expectToGoOn('small', error)
  })

  test('is not there when it is to go on: what to type is said, works, and says whose bytes come out', async () => {
    await cp(inWork('whole'), inWork('moved'), {recursive: true})
    await rm(inWork('moved', 'checkpoints', 'step-00000006.safetensors'))
    const kept = await readFile(inWork('moved', 'checkpoints', 'step-00000005.safetensors'))
    const env = {VK_DRIVER_FILES: '/dev/null', VK_ICD_FILENAMES: '/dev/null'}
    const error = errorOf(await runCommand(['resume', inWork('moved'), '--json'], {env}), 5)
    expect(error).toMatchObject({
      code: 'E_DEVICE',
      message: expect.stringMatching(
        /^No GPU answers\. The run began on gpu, .*; its checkpoint after step 5 is kept\.$/,
      ),
    })
    const [command, difference] = error.hint.split('\n')
    expect(command).toBe(`mambatune resume ${inWork('moved')} --fork NEW_DIRECTORY --device cpu`)
    expect(difference).toContain('from step 6 on its numbers')
    const typed = command.replace('NEW_DIRECTORY', inWork('fork')).split(' ').slice(1)
    const forked = await runCommand([...typed, '--json'], {env})
    expect(jsonOf(forked)).toMatchObject({device: 'cpu', steps: STEPS})
    expect(forked.stderr).toMatch(/the run began on gpu, .*, and goes on on cpu, .*: from step 6 on its numbers/)
    expect(await readFile(inWork('moved', 'checkpoints', 'step-00000005.safetensors'))).toEqual(kept)
  })
})
