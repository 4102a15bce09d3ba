import {describe, expect, test} from '@jest/globals'
import {cp, mkdir, readdir, readFile, symlink, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {repository, runCommand} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const inWork = workDirectory()

const failureOf = (stdout: string): unknown => (JSON.parse(stdout) as {error: unknown}).error

describe('merge', () => {
  test('follows links to files, as the Hugging Face cache holds them, and leaves the card of the base behind', async () => {
    const linked = inWork('linked')
    await mkdir(linked)
    for (const name of await readdir(MODEL)) {
      await symlink(path.join(repository, MODEL, name), path.join(linked, name))
    }
    const rows = inWork('rows.jsonl')
    await writeFile(rows, `${JSON.stringify({prompt: 'Define', completion: ' a word'})}\n`)
    const recipe = inWork('recipe.yaml')
    const adapters = [{method: 'lora', targets: ['dt_proj'], rank: 2, alpha: 4}]
    const train = {max_steps: 1, batch_size: 1}
    await writeFile(
      recipe,
      JSON.stringify({
        version: 1,
        model: {base: linked},
        adapters,
        data: {train: rows},
        train,
        output_dir: inWork('run'),
      }),
    )
    expect((await runCommand(['train', recipe])).code).toBe(0)
    const merged = await runCommand(['merge', inWork('run', 'adapter'), '--base', linked, '--out', inWork('merged')])
    expect(merged.code).toBe(0)
    expect((await readdir(inWork('merged'))).sort()).toEqual(
      ['README.md', 'config.json', 'merge.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].sort(),
    )
  })
})

describe('merge --dtype', () => {
  test('changes nothing in config.json but the number format, because transformers tells 1 from 1.0', async () => {
    const base = goldenPath('mamba1')
    const args = ['merge', goldenPath('mamba1', 'lora'), '--base', base, '--out', inWork('bf16'), '--dtype', 'bf16']
    expect((await runCommand(args)).code).toBe(0)
    const before = await readFile(path.join(base, 'config.json'), 'utf8')
    const after = await readFile(inWork('bf16', 'config.json'), 'utf8')
    expect(before).toContain('"time_step_scale": 1.0')
    expect(after).toBe(before.replace('"dtype": "float32"', '"dtype": "bfloat16"'))
  })
})

describe('generate', () => {
  test('refuses a tokenizer with ids that the model does not have', async () => {
    const model = inWork('foreign')
    await cp(MODEL, model, {recursive: true})
    const file = path.join(model, 'tokenizer.json')
    const tokenizer = JSON.parse(await readFile(file, 'utf8')) as {added_tokens: Record<string, unknown>[]}
    tokenizer.added_tokens.push({...tokenizer.added_tokens[0], content: '<x>', id: 999_999})
    await writeFile(file, JSON.stringify(tokenizer))
    const {code, stdout} = await runCommand(['generate', model, '--prompt', 'a<x>b', '--json'])
    expect(failureOf(stdout)).toMatchObject({code: 'E_MISMATCH', message: expect.stringContaining('999999')})
    expect(code).toBe(8)
  })

  test('refuses an empty stop text', async () => {
    const {code, stderr} = await runCommand(['generate', MODEL, '--prompt', 'a', '--stop', ''])
    expect(stderr).toContain('--stop is empty')
    expect(code).toBe(2)
  })
})

describe('eval', () => {
  test('says what was cut', async () => {
    const data = ['--data', 'data/definitions.validation.jsonl', '--max-length', '24', '--batch-size', '64']
    const {stderr} = await runCommand(['eval', MODEL, ...data])
    expect(stderr).toMatch(/cut/)
  })

  test.each(['pissa', 'olora', 'corda', 'loftq'])('refuses a PEFT adapter that started from %s', async (start) => {
    const adapter = inWork(start)
    await cp(goldenPath('mamba1', 'lora'), adapter, {recursive: true})
    const file = path.join(adapter, 'adapter_config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    await writeFile(file, JSON.stringify({...config, init_lora_weights: start}))
    const rows = inWork(`${start}.jsonl`)
    await writeFile(rows, `${JSON.stringify({input_ids: [1, 2, 3]})}\n`)
    const args = ['eval', goldenPath('mamba1'), '--adapter', adapter, '--data', rows, '--format', 'tokens', '--json']
    const {code, stdout} = await runCommand(args)
    expect(failureOf(stdout)).toMatchObject({
      code: 'E_FILE',
      faults: [{message: expect.stringContaining('init_lora_weights')}],
    })
    expect(code).toBe(4)
  })
})

describe('train', () => {
  test('refuses dropout on conv1d, where it would do nothing', async () => {
    const overrides = ['--set', 'adapters.0.targets=[conv1d]', '--set', 'adapters.0.dropout=0.1']
    const {code, stderr} = await runCommand(['train', 'definitions-lora', ...overrides, '--out', inWork('dropout')])
    expect(stderr).toContain('adapters.0.dropout')
    expect(code).toBe(3)
    expect(await readdir(inWork())).not.toContain('dropout')
  })
})
