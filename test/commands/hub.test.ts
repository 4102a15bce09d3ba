/** Commands with names on the hub, which is a server on this machine here. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import path from 'node:path'
import {readAdapterManifest} from '../../src/checkpoint/adapter-directory.js'
import {COMMIT, HubServer} from '../checkpoint/hub-server.js'
import {type RunResult, runCommand} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const NAME = 'some/tiny'
const inWork = workDirectory()
const hub = new HubServer(NAME)

beforeAll(async () => {
  await hub.start()
  for (const name of await readdir(MODEL)) hub.files.set(name, await readFile(path.join(MODEL, name)))
})

afterAll(() => hub.stop())

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<RunResult> =>
  runCommand([...args], {env: {HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: inWork('cache'), ...env}})

describe('model', () => {
  test('pull fetches, list shows, remove removes', async () => {
    const pulled = jsonOf(await run(['model', 'pull', NAME, '--json']))
    expect(pulled).toMatchObject({commit: COMMIT, repository: NAME})
    const again = await run(['model', 'pull', NAME])
    expect(again.stdout).toContain(`${NAME}@${COMMIT}: `)
    expect(again.stdout).toContain('all of it was there')
    expect((await run(['model', 'list'])).stdout).toMatch(/^MODEL +REVISION +COMMIT +SIZE\nsome\/tiny +main +c0ffee0/)
    expect((await run(['model', 'remove', NAME])).stdout).toBe(`Removed ${NAME}.\n`)
    expect((await run(['model', 'list'])).stdout).toContain('None yet')
    expect(jsonOf(await run(['model', 'remove', NAME, '--json']), 4)).toMatchObject({error: {code: 'E_FILE'}})
    expect(jsonOf(await run(['model', 'pull', 'tiny', '--json']), 2)).toMatchObject({error: {code: 'E_USAGE'}})
  })
})

describe('a name on the hub in place of a directory', () => {
  test('generates as the directory does, and offline too', async () => {
    const prompt = ['--prompt', 'The', '--max-new-tokens', '4', '--device', 'cpu', '--json']
    const local = jsonOf(await run(['generate', MODEL, ...prompt]))
    expect(jsonOf(await run(['generate', NAME, ...prompt]))).toEqual(local)
    hub.asked.length = 0
    expect(jsonOf(await run(['generate', NAME, ...prompt], {HF_HUB_OFFLINE: '1'}))).toEqual(local)
    expect(hub.asked).toEqual([])
  })

  test('trains, and the run names the commit', async () => {
    const out = inWork('run')
    const changes = ['model.base=some/tiny', 'train.max_steps=1', 'train.batch_size=1', 'data.validation=null']
    const sets = changes.flatMap((change) => ['--set', change])
    const trained = await run(['train', 'quickstart', ...sets, '--out', out, '--device', 'cpu', '--json'])
    expect(trained.code).toBe(0)
    expect(await readFile(path.join(out, 'recipe.resolved.yaml'), 'utf8')).toContain(`base: ${NAME}@${COMMIT}`)
    const {base} = await readAdapterManifest(path.join(out, 'adapter'))
    expect(base.path).toBe(`${NAME}@${COMMIT}`)
    const inspected = jsonOf(await run(['inspect', NAME, '--json']))
    expect(inspected).toMatchObject({fingerprint: base.fingerprint, kind: 'model'})
    const plan = await run(['plan', 'quickstart', ...sets, '--device', 'cpu', '--json'])
    expect(jsonOf(plan)).toMatchObject({model: NAME, steps: {problem: null}})
  })

  test('merges, and exports in the original layout', async () => {
    const out = inWork('original')
    const exported = await run(['export', NAME, '--format', 'safetensors', '--layout', 'original', '--out', out])
    expect(exported.stdout).toMatch(/^Wrote \d+ tensors to .*: config.json, model.safetensors/)
    expect(JSON.parse(await readFile(path.join(out, 'config.json'), 'utf8'))).toMatchObject({d_model: 256, n_layer: 8})
    const merge = ['merge', goldenPath('mamba1', 'lora'), '--base', NAME, '--out', inWork('merged'), '--json']
    expect(jsonOf(await run([...merge, '--device', 'cpu']), 8)).toMatchObject({error: {code: 'E_MISMATCH'}})
  })

  test('that the hub does not know ends with 4', async () => {
    const result = await run(['inspect', 'no-such/model', '--json'])
    expect(jsonOf(result, 4)).toMatchObject({error: {code: 'E_FILE', message: expect.stringContaining('(404)')}})
  })
})

test('--layout is for models', async () => {
  const args = ['export', goldenPath('mamba1', 'lora'), '--format', 'peft', '--layout', 'hf', '--out', inWork('no')]
  expect((await run(args)).stderr).toContain('--layout is for models')
  const model = ['export', MODEL, '--format', 'peft', '--out', inWork('no')]
  expect((await run(model)).stderr).toContain('a model is exported as safetensors alone')
})
