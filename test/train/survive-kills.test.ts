import {describe, expect, test} from '@jest/globals'
import {mkdir, readdir, readFile, rm} from 'node:fs/promises'
import {pathToFileURL} from 'node:url'
import {surviveKills} from '../../scripts/survive-kills.mjs'
import {repository, runCommand, type RunResult} from '../cli/run-command.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** The same with 200 kills: node scripts/survive-kills.mjs */
test('a run that is killed six times ends with the bytes of one that is not', async () => {
  await mkdir(inWork('kills'))
  expect(await surviveKills({directory: inWork('kills'), kills: 6})).toEqual({
    adapter: null,
    kills: 6,
    metrics: null,
  })
}, 240_000)

describe('a disk that is full', () => {
  /** Steps of 6, with a checkpoint after every other. */
  const train = async (out: string, fault?: string): Promise<RunResult> => {
    const recipe = await writeRecipe(inWork('recipe.yaml'), {
      more: {checkpoints: {every: 2, keep: 2}},
      output: inWork(out),
      train: await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15])),
      training: {epochs: 3, max_steps: 6},
    })
    return runCommand(['train', recipe, '--device', 'cpu', '--json'], {env: faulty(fault)})
  }

  const faulty = (fault?: string): Record<string, string> => {
    if (fault === undefined) return {}
    const loaded = pathToFileURL(`${repository}/scripts/faulty-files.mjs`).href
    return {MAMBATUNE_FAULT: fault, NODE_OPTIONS: `--import=${loaded}`}
  }

  const adapterOf = (run: string): Promise<Buffer> => readFile(inWork(run, 'adapter', 'adapter.safetensors'))

  test('at any call: says so with exit code 4, leaves nothing half-written, and the run goes on once there is space', async () => {
    jsonOf(await train('whole'))
    const messages = new Set<string>()
    // From the first call to those of the adapter at the end.
    for (const call of [1, 8, 15, 19, 22, 24, 27, 40, 55]) {
      await rm(inWork('full'), {force: true, recursive: true})
      const {error} = jsonOf(await train('full', `ENOSPC@${call}`), 4) as {error: {message: string}}
      messages.add(error.message.replace(/^Cannot write \S*?full\/?(\S*?): .*$/, '$1'))
      const left: string[] = await readdir(inWork('full'), {recursive: true}).catch(() => [])
      expect(left.filter((name) => name.endsWith('.partial') && !name.includes('lock'))).toEqual([])
      if (left.includes('recipe.resolved.yaml')) jsonOf(await runCommand(['resume', inWork('full'), '--json']))
      else jsonOf(await train('full'))
      expect((await adapterOf('full')).equals(await adapterOf('whole'))).toBe(true)
    }
    // Or the calls were not those of different files.
    expect(messages.size).toBeGreaterThan(2)
  }, 120_000)
})
