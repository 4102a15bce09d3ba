/** The token for the hub goes to the hub and nowhere else: not into what is printed, and not into a file. */
import {afterAll, beforeAll, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import path from 'node:path'
import {HubServer} from '../checkpoint/hub-server.js'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const NAME = 'some/tiny'
const SECRET = 'hf_neverToBeSeen0123456789'
const inWork = workDirectory()
const hub = new HubServer(NAME)

beforeAll(async () => {
  await hub.start()
  for (const name of await readdir(MODEL)) hub.files.set(name, await readFile(path.join(MODEL, name)))
})

afterAll(() => hub.stop())

test('HF_TOKEN is in no output and no file of pull, train, export, inspect and a refusal', async () => {
  const run = (args: readonly string[]): Promise<RunResult> =>
    runCommand(args, {
      env: {DEBUG: '*', HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: inWork('cache'), HF_TOKEN: SECRET},
    })
  const changes = [`model.base=${NAME}`, 'train.max_steps=1', 'train.batch_size=1', 'data.validation=null']
  const sets = changes.flatMap((change) => ['--set', change])
  const results = [
    await run(['model', 'pull', NAME]),
    await run(['train', 'quickstart', ...sets, '--out', inWork('run'), '--device', 'cpu']),
    await run(['export', inWork('run', 'adapter'), '--format', 'peft', '--out', inWork('peft')]),
    await run(['inspect', inWork('run'), '--json']),
    await run(['model', 'pull', 'some/other']),
  ]
  // Or nothing was asked with it, and there was nothing to hide.
  expect(hub.tokens).toContain(`Bearer ${SECRET}`)
  expect(results.slice(0, 2).map(({code}) => code)).toEqual([0, 0])
  expect(results[4].code).not.toBe(0)
  for (const {stderr, stdout} of results) expect(`${stdout}${stderr}`).not.toContain(SECRET)
  const entries = await readdir(inWork(), {recursive: true, withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile()).map(({name, parentPath}) => path.join(parentPath, name))
  expect(files.map((file) => path.basename(file))).toContain('recipe.resolved.yaml')
  for (const file of files) expect((await readFile(file)).includes(SECRET)).toBe(false)
})
