import {describe, expect, test} from '@jest/globals'
import {createHash} from 'node:crypto'
import {cp, mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {repository, runNode} from '../cli/run-command.js'
import {canMerge} from '../../src/peft/method.js'
import {noMergeOf} from '../../src/peft/method-settings.js'
import {methodOf} from '../../src/peft/registry.js'
import {parseRecipe} from '../../src/recipe/load.js'
import {resolvedYaml} from '../../src/recipe/resolved.js'
import {type Inspection, inspect} from '../../src/report/inspect.js'
import {goldenPath} from '../support/golden.js'
import {lora, STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const BASE = goldenPath('mamba1-untied-bias')
const inWork = workDirectory()

async function inspected<Kind extends Inspection['kind']>(
  path: string,
  kind: Kind,
): Promise<Extract<Inspection, {kind: Kind}>> {
  const inspection = await inspect(path)
  expect(inspection.kind).toBe(kind)
  return inspection as Extract<Inspection, {kind: Kind}>
}

describe('a model', () => {
  test('is described by its sizes, files and formats', async () => {
    const model = await inspected(BASE, 'model')
    const bytes = (await stat(`${BASE}/model.safetensors`)).size
    expect(model).toMatchObject({
      architecture: 'mamba',
      bytes,
      dtypes: [{dtype: 'F32', parameters: model.parameters, tensors: 25}],
      path: BASE,
      sizes: {d: 32, E: 64, N: 5, R: 3, K: 3, V: 96, layers: 2},
      tied_head: false,
      tokenizer: false,
      weight_files: [{bytes, file: 'model.safetensors'}],
    })
    expect(model.fingerprint).toMatch(/^sha256:[\da-f]{64}$/)
  })

  test('counts every number once', async () => {
    const {parameters} = await inspected(BASE, 'model')
    const [d, e, n, r, k, v, layers] = [32, 64, 5, 3, 3, 96, 2]
    const mixer = (d + 1) * 2 * e + k * e + (r + 2 * n) * e + (r + 1) * e + (e + 1) * d + (n + 1) * e
    expect(parameters).toBe(2 * v * d + layers * (d + mixer) + d)
  })

  test('has mixed formats, a tied head and a tokenizer where it has them', async () => {
    const {dtypes, parameters, tied_head: tied, tokenizer} = await inspected('models/tiny-mamba', 'model')
    expect({tied, tokenizer}).toEqual({tied: true, tokenizer: true})
    expect(dtypes.map(({dtype}) => dtype)).toEqual(['BF16', 'F32'])
    expect(dtypes.reduce((sum, {parameters: own}) => sum + own, 0)).toBe(parameters)
  })

  test('lists the sites that adapters can be attached to, with their slices', async () => {
    const {sites} = await inspected(BASE, 'model')
    expect(sites.map(({shape, site}) => [site, ...shape])).toEqual([
      ['in_proj', 128, 32],
      ['x_proj', 13, 64],
      ['dt_proj', 64, 3],
      ['out_proj', 32, 64],
      ['conv1d', 64, 1, 3],
    ])
    expect(sites[1]).toEqual({
      layers: 2,
      parameters_per_layer: 13 * 64,
      shape: [13, 64],
      site: 'x_proj',
      slices: [
        {from: 0, site: 'x_proj.dt', to: 3},
        {from: 3, site: 'x_proj.B', to: 8},
        {from: 8, site: 'x_proj.C', to: 13},
      ],
    })
  })

  test('is refused when weights and config do not belong together', async () => {
    await mkdir(inWork('broken'))
    await cp(`${BASE}/model.safetensors`, inWork('broken', 'model.safetensors'))
    const config = JSON.parse(await readFile(`${BASE}/config.json`, 'utf8')) as object
    await writeFile(inWork('broken', 'config.json'), JSON.stringify({...config, state_size: 6}))
    await expect(inspect(inWork('broken'))).rejects.toMatchObject({
      exit: 4,
      faults: expect.arrayContaining([expect.objectContaining({where: 'backbone.layers.0.mixer.A_log'})]),
    })
  })
})

describe('an adapter', () => {
  const settings = [
    lora({rank: 2, targets: ['in_proj', 'out_proj']}),
    lora({rslora: true, targets: ['x_proj.B']}),
    {...STATE, conv: false},
  ]

  test('is described by its methods, sizes, base and file', async () => {
    const path = await writeRandomAdapter(inWork('mixed'), {model: BASE, settings})
    const adapter = await inspected(path, 'adapter')
    const [d, e, n, layers] = [32, 64, 5, 2]
    const counts = [layers * 2 * (2 * e + d + (d + e)), layers * 3 * (n + e), layers * e * n]
    const all = counts.reduce((sum, count) => sum + count, 0)
    const {fingerprint, parameters} = await inspected(BASE, 'model')
    expect(adapter).toMatchObject({
      base: {fingerprint, parameters, path: BASE, problem: null},
      format: 'mambatune',
      methods: [
        {method: 'lora', settings: {rank: 2}, tensors: 8, trainable_parameters: counts[0]},
        {method: 'lora', settings: {rslora: true, targets: ['x_proj.B']}, tensors: 4, trainable_parameters: counts[1]},
        {method: 'initial-state', settings: {conv: false, scan: true}, tensors: 2, trainable_parameters: counts[2]},
      ],
      tensors: 14,
      trainable_parameters: all,
      trainable_percent: (100 * all) / (parameters + all),
    })
    const bytes = await readFile(`${path}/adapter.safetensors`)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(adapter.tensor_file).toEqual({bytes: bytes.length, file: 'adapter.safetensors', sha256})
  })

  test('says what cannot be merged and what PEFT cannot hold', async () => {
    const {merge, peft} = await inspected(inWork('mixed'), 'adapter')
    expect(merge).toEqual({
      exact: false,
      left_out: [
        {
          instead: expect.stringContaining('--format state'),
          part: 'adapters.2 (initial-state)',
          reason: expect.stringContaining('first state'),
        },
      ],
    })
    expect(peft.complete).toBe(false)
    expect(peft.left_out.map(({part}) => part)).toEqual([
      'adapters.0 (lora): out_proj',
      'adapters.2 (initial-state): scan',
    ])
  })

  test('without its base has no share, and says why', async () => {
    const path = await writeRandomAdapter(inWork('alone'), {base: 'gone', model: BASE, settings: settings.slice(1, 2)})
    const adapter = await inspected(path, 'adapter')
    expect(adapter).toMatchObject({
      base: {parameters: null, path: 'gone', problem: expect.stringContaining('No model at gone')},
      merge: {exact: true, left_out: []},
      peft: {complete: true, left_out: []},
      trainable_percent: null,
    })
  })

  test('of PEFT is described alike', async () => {
    const adapter = await inspected(goldenPath('mamba1', 'rslora'), 'adapter')
    expect(adapter).toMatchObject({
      base: {fingerprint: null, parameters: null, problem: expect.stringContaining('does not name')},
      format: 'peft',
      methods: [{method: 'lora', settings: {rslora: true, targets: ['in_proj', 'x_proj']}, tensors: 8}],
      tensor_file: {file: 'adapter_model.safetensors'},
    })
  })
})

test('what is said of merging is what the methods do', () => {
  for (const settings of [lora({targets: ['in_proj']}), STATE]) {
    const {merge} = methodOf(settings)
    expect([settings.method, canMerge(merge) ? null : merge]).toEqual([settings.method, noMergeOf[settings.method]])
  }
})

describe('a run', () => {
  const step = (number: number, loss: number): object => ({
    elapsed_s: 1.5 * number,
    event: 'step',
    loss,
    step: number,
    supervised_tokens: 10,
    tokens: 25,
  })
  const evaluation = (number: number, loss: number): object => ({
    elapsed_s: 1.5 * number + 1,
    event: 'eval',
    loss,
    perplexity: Math.exp(loss),
    step: number,
  })
  const lines = (events: readonly unknown[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('')

  async function writeRun(name: string, metrics: string): Promise<string> {
    const recipe = parseRecipe(
      `{version: 1, model: {base: ${BASE}}, adapters: [{method: initial-state}], data: {train: a.jsonl}}`,
      'test',
    )
    await mkdir(inWork(name))
    await writeFile(inWork(name, 'recipe.resolved.yaml'), resolvedYaml(recipe))
    await writeFile(inWork(name, 'metrics.jsonl'), metrics)
    return inWork(name)
  }

  test('is described by its recipe, losses, tokens, time and adapter', async () => {
    const path = await writeRun(
      'run',
      lines([evaluation(0, 4), step(1, 3.5), {event: 'of a later version'}, step(2, 3), evaluation(2, 2.5)]),
    )
    await writeRandomAdapter(`${path}/adapter`, {model: BASE, settings: [STATE]})
    expect(await inspected(path, 'run')).toMatchObject({
      adapter: {kind: 'adapter', methods: [{method: 'initial-state'}], path: `${path}/adapter`},
      elapsed_s: 4,
      first_loss: 3.5,
      last_loss: 3,
      recipe: {data: {train: 'a.jsonl'}, model: {base: BASE}, seed: 42},
      steps: 2,
      supervised_tokens: 20,
      tokens: 50,
      validation: [
        {loss: 4, perplexity: Math.exp(4), step: 0},
        {loss: 2.5, perplexity: Math.exp(2.5), step: 2},
      ],
    })
  })

  test('that was killed in the middle of a line is described as far as it came', async () => {
    const path = await writeRun('killed', `${lines([step(1, 3.5), step(2, 3.25)])}{"event":"step","lo`)
    expect(await inspected(path, 'run')).toMatchObject({adapter: null, last_loss: 3.25, steps: 2, validation: []})
  })

  test('that has not done a step has no loss', async () => {
    const path = await writeRun('begun', '')
    expect(await inspected(path, 'run')).toMatchObject({elapsed_s: 0, first_loss: null, last_loss: null, steps: 0})
  })

  test('with damaged metrics is refused with every line that cannot be read', async () => {
    const path = await writeRun('damaged', `{"event":\n${lines([step(1, 3), {event: 'eval', step: 'x'}, 7])}`)
    await expect(inspect(path)).rejects.toMatchObject({
      exit: 4,
      faults: [
        {message: expect.stringContaining('not JSON'), where: `${path}/metrics.jsonl:1`},
        {message: expect.stringContaining('step: '), where: `${path}/metrics.jsonl:3`},
        {message: 'expected an object with an event', where: `${path}/metrics.jsonl:4`},
      ],
    })
  })
})

describe('anything else is refused with what was expected', () => {
  test.each([
    ['src', 'holds neither a model, nor an adapter, nor a run', 'config.json'],
    ['gone', 'does not exist', 'config.json'],
    ['models/tiny-mamba/config.json', 'is a file', 'models/tiny-mamba'],
  ])('%s', async (path, message, hint) => {
    await expect(inspect(path)).rejects.toMatchObject({
      exit: 4,
      hint: expect.stringContaining(hint),
      message: expect.stringContaining(message),
    })
  })
})

/** How many modules of TensorFlow.js the built program has loaded after doing this. */
async function tensorLibraryModules(statement: string): Promise<unknown> {
  const {code, stdout, stderr} = await runNode([
    '--input-type=module',
    '--eval',
    `import {createRequire} from 'node:module'
    ${statement}
    const loaded = Object.keys(createRequire(import.meta.url).cache)
    process.stdout.write(String(loaded.filter((file) => file.includes('tensorflow')).length))`,
  ])
  return code === 0 ? Number(stdout) : stderr
}

test('no tensor library is loaded to look at a model and an adapter', async () => {
  const dist = new URL(`file://${repository}/dist/`).href
  const look = (path: string): string => `await inspect(${JSON.stringify(path)});`
  const paths = ['models/tiny-mamba', goldenPath('mamba1', 'lora')]
  const statement = `const {inspect} = await import('${dist}report/inspect.js'); ${paths.map(look).join(' ')}`
  expect(await tensorLibraryModules(statement)).toBe(0)
  expect(await tensorLibraryModules(`await import('${dist}model/load-model.js')`)).toBeGreaterThan(0)
})
