import {beforeAll, describe, expect, test} from '@jest/globals'
import {execFile} from 'node:child_process'
import {chmod, mkdir, readdir, readFile} from 'node:fs/promises'
import {userInfo} from 'node:os'
import path from 'node:path'
import {repository, type RunResult} from '../cli/run-command.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** The super-user may write everywhere, so for that one the program runs as nobody. */
const NOBODY = 65_534
const isRoot = userInfo().uid === 0

/** Runs the program as somebody who is not root, with a home directory that is not there. */
function runAsUser(args: readonly string[]): Promise<RunResult> {
  const command = [path.join(repository, 'bin', 'run.js'), ...args]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      command,
      {
        cwd: repository,
        env: {...process.env, HOME: inWork('home'), XDG_CACHE_HOME: inWork('home')},
        ...(isRoot && {gid: NOBODY, uid: NOBODY}),
        timeout: 60_000,
      },
      (error, stdout, stderr) => {
        resolve({code: error === null ? 0 : Number(error.code ?? -1), stderr, stdout})
      },
    )
  })
}

describe('a user who may not write', () => {
  let recipe = ''

  beforeAll(async () => {
    await chmod(inWork(), 0o755)
    await mkdir(inWork('locked'))
    recipe = await writeRecipe(inWork('recipe.yaml'), {
      more: {checkpoints: {every: 1}},
      output: inWork('locked', 'run'),
      train: await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15])),
    })
  })

  test('to the output directory is told so with exit code 4, and nothing is left there', async () => {
    await chmod(inWork('locked'), 0o555)
    const result = await runAsUser(['train', recipe, '--device', 'cpu', '--json'])
    expect(jsonOf(result, 4)).toMatchObject({
      error: {
        code: 'E_FILE',
        hint: 'Choose a place that exists, that you may write to and that has room.',
        message: `Cannot write ${inWork('locked', 'run')}: permission denied`,
      },
    })
    expect(await readdir(inWork('locked'))).toEqual([])
  })

  test('to a run that is to go on is told so, and the run stays as it is and goes on for one who may', async () => {
    await chmod(inWork('locked'), 0o777)
    const done = await runAsUser(['train', recipe, '--device', 'cpu', '--json'])
    expect(jsonOf(done)).toMatchObject({steps: 3})
    const run = inWork('locked', 'run')
    const before = await readFile(path.join(run, 'metrics.jsonl'))
    const files = (await readdir(run, {recursive: true})).sort()
    for (const directory of [run, path.join(run, 'checkpoints')]) await chmod(directory, 0o555)
    const {error} = jsonOf(await runAsUser(['resume', run, '--json']), 4) as {error: {code: string; message: string}}
    expect(error).toMatchObject({
      code: 'E_FILE',
      message: expect.stringMatching(/^Cannot write .*: permission denied$/),
    })
    expect((await readdir(run, {recursive: true})).sort()).toEqual(files)
    expect(await readFile(path.join(run, 'metrics.jsonl'))).toEqual(before)
    for (const directory of [run, path.join(run, 'checkpoints')]) await chmod(directory, 0o755)
    expect(jsonOf(await runAsUser(['resume', run, '--json']))).toMatchObject({steps: 3})
  })
})
