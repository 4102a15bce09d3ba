import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type ChildProcess, spawn} from 'node:child_process'
import {readdir} from 'node:fs/promises'
import path from 'node:path'
import {InterruptedError} from '../../src/errors.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {repository, runCommand} from '../cli/run-command.js'
import {readMetrics, jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
let rows: string

beforeAll(async () => {
  rows = await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15]))
})

/** A run that would go on for minutes. */
const ENDLESS = {epochs: 1e6, max_steps: 1e6}

describe('a learning rate that ruins the adapter', () => {
  test('ends the run with exit code 7, naming the step and its rows, before anything is saved as an adapter', async () => {
    const recipe = await writeRecipe(inWork('ruin.yaml'), {
      data: {shuffle: false},
      output: inWork('ruin'),
      train: rows,
      training: {...ENDLESS, clip_norm: null, optimizer: {learning_rate: 1e30}},
    })
    const {error} = jsonOf(await runCommand(['train', recipe, '--device', 'cpu', '--json']), 7)
    expect(error).toMatchObject({
      code: 'E_NUMERIC',
      exit: 7,
      faults: [3, 4].map((line) => ({message: 'was in this step', where: `${rows}:${line}`})),
      hint: expect.stringContaining('train.optimizer.learning_rate'),
      message: expect.stringMatching(/^Step 2 stopped: .* is not finite\.$/),
    })
    expect((await readdir(inWork('ruin'))).sort()).toEqual(['metrics.jsonl', 'recipe.resolved.yaml'])
    expect((await readMetrics(inWork('ruin'))).steps).toHaveLength(1)
  })
})

describe('a run that is told to stop', () => {
  test('saves the adapter of the steps done, which is that of a run of as many steps', async () => {
    const training = {optimizer: {learning_rate: 1e-2}, schedule: {name: 'constant', warmup: 0}}
    const run = async (name: string, steps: Record<string, unknown>, stopAt: number): Promise<unknown> => {
      const parts = {output: inWork(name), train: rows, training: {...training, ...steps}}
      const {recipe} = await loadRecipe(await writeRecipe(inWork(`${name}.yaml`), parts))
      const controller = new AbortController()
      return runRecipe({
        device: 'cpu',
        recipe,
        report(event) {
          if (event.event === 'step' && event.step === stopAt) controller.abort()
        },
        signal: controller.signal,
      })
    }
    const message = `Stopped after step 3 of 1000000. The adapter as it is now is in ${inWork('stopped', 'adapter')}.`
    await expect(run('stopped', ENDLESS, 3)).rejects.toThrow(new InterruptedError(message))
    await run('whole', {epochs: 2, max_steps: 3}, Infinity)
    const [stopped, whole] = await Promise.all(['stopped', 'whole'].map((name) => readAdapter(inWork(name, 'adapter'))))
    expect(stopped.values).toEqual(whole.values)
    expect(tf.memory().numTensors).toBe(0)
    expect((await readMetrics(inWork('stopped'))).steps.map(({step}) => step)).toEqual([1, 2, 3])
  })

  test('before its first step saves no adapter', async () => {
    const {recipe} = await loadRecipe(await writeRecipe(inWork('early.yaml'), {output: inWork('early'), train: rows}))
    const signal = AbortSignal.abort()
    await expect(runRecipe({device: 'cpu', recipe, report: () => {}, signal})).rejects.toThrow(InterruptedError)
    await expect(readdir(inWork('early'))).rejects.toMatchObject({code: 'ENOENT'})
    expect(tf.memory().numTensors).toBe(0)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s leaves with %d, one JSON object, an adapter that loads and a checkpoint', async (name, code) => {
    const {child, ended} = await beginEndless(name)
    child.kill(name)
    const {stderr, stdout, ...result} = await ended
    expect(result.code).toBe(code)
    expect(stderr).toContain('Stopping after this batch')
    expect(JSON.parse(stdout)).toMatchObject({
      error: {code: 'E_INTERRUPTED', exit: code, faults: [], hint: `mambatune resume ${inWork(name)}`},
    })
    expect((await readAdapter(inWork(name, 'adapter'))).settings).toMatchObject([{method: 'lora', rank: 4}])
    const {steps} = await readMetrics(inWork(name))
    const last = `step-${String(steps.length).padStart(8, '0')}.safetensors`
    expect(await readdir(inWork(name, 'checkpoints'))).toContain(last)
    expect((await readdir(inWork(name))).filter((file) => file.startsWith('.'))).toEqual([])
  })

  test('keeps others out of its directory while it goes on', async () => {
    const {child, ended} = await beginEndless('shared')
    const second = await runCommand(['resume', inWork('shared'), '--json'])
    expect(jsonOf(second, 4)).toMatchObject({
      error: {message: `Another run is going on in ${inWork('shared')}: process ${child.pid}.`},
    })
    child.kill('SIGKILL')
    await ended
    // Its lock is stale now.
    const {error} = jsonOf(await runCommand(['resume', inWork('shared'), '--set', 'seed=7', '--json']), 8)
    expect(error).toMatchObject({code: 'E_MISMATCH', faults: [{where: 'seed'}]})
  })
})

interface Begun {
  readonly child: ChildProcess
  readonly ended: Promise<{code: number | null; stdout: string; stderr: string}>
}

/** A run of the built program that has done its first steps and does not end by itself. */
async function beginEndless(name: string): Promise<Begun> {
  const parts = {more: {checkpoints: {every: 1}}, output: inWork(name), train: rows, training: ENDLESS}
  const recipe = await writeRecipe(inWork(`${name}.yaml`), parts)
  const args = [path.join(repository, 'bin', 'run.js'), 'train', recipe, '--device', 'cpu', '--json']
  const child = spawn(process.execPath, args, {
    cwd: repository,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (piece: Buffer) => void (stdout += piece.toString()))
  const ended = new Promise<Awaited<Begun['ended']>>((resolve) => {
    child.on('close', (code) => resolve({code, stderr, stdout}))
  })
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString()
      if (stderr.includes('training ')) resolve()
    })
    child.on('close', () => resolve())
  })
  return {child, ended}
}
