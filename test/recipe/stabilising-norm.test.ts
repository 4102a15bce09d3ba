/** `model.stabilising_norm`: a Mamba-1 base trained, kept, used and merged as the Falcon-Mamba model that it becomes. */
import {beforeAll, expect, test} from '@jest/globals'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {fromFloat32} from '../../src/checkpoint/dtypes.js'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {readTensorFloat32, writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {MismatchError, NumericError, RecipeError} from '../../src/errors.js'
import {loadModel} from '../../src/model/load-model.js'
import {MIXER_EPSILON, normedFiles} from '../../src/model/mixer-norm.js'
import {baseSites} from '../../src/model/sites.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {loadSpeakers} from '../../src/peft/chat/speakers.js'
import {combineAdapters} from '../../src/peft/combine-files.js'
import {exportAdapter} from '../../src/peft/export-adapter.js'
import {exportGgufLora} from '../../src/peft/export-gguf-lora.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {parseRecipe} from '../../src/recipe/load.js'
import {type RunEvent} from '../../src/recipe/run-options.js'
import {type Recipe} from '../../src/recipe/schema.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {planRun} from '../../src/report/plan.js'
import {modelCard} from '../../src/report/model-card.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath, readReference} from '../support/golden.js'
import {goldenRows, logitsInOnePass} from '../support/golden-model.js'
import {writeRows} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

const IDS = Int32Array.from({length: 24}, (_, at) => 2 + ((7 * at) % 90))

/** The golden Falcon-Mamba as if it were a Mamba-1, x_proj times `factor`. */
async function writePlain(name: string, factor = 1): Promise<string> {
  const directory = inWork(name)
  const {tensors} = await openModelDirectory(goldenPath('falcon-mamba'))
  await mkdir(directory)
  const text = await readFile(goldenPath('falcon-mamba', 'config.json'), 'utf8')
  const plain = text
    .replace('falcon_mamba', 'mamba')
    .replace('FalconMamba', 'Mamba')
    .replace(/.*mixer_rms_eps.*\n/, '')
  await writeFile(`${directory}/config.json`, plain)
  const sources = [...tensors.values()].map((entry) => ({
    bytes: async () => {
      const values = await readTensorFloat32(entry)
      return fromFloat32(entry.name.includes('x_proj') ? values.map((value) => factor * value) : values, 'F32')
    },
    dtype: 'F32' as const,
    name: entry.name,
    shape: entry.shape,
  }))
  await writeSafetensors(`${directory}/model.safetensors`, sources, {format: 'pt'})
  return directory
}

interface RunParts {
  readonly base: string
  readonly norm?: boolean
  readonly more?: Record<string, unknown>
}

function recipeOf(name: string, {base, more, norm}: RunParts): Recipe {
  return parseRecipe(
    JSON.stringify({
      version: 1,
      output_dir: inWork(name),
      model: {base, ...(norm === undefined ? {} : {stabilising_norm: norm})},
      adapters: [{method: 'lora', targets: ['in_proj', 'x_proj', 'dt_proj'], rank: 4, alpha: 8}],
      data: {format: 'tokens', train: inWork('rows.jsonl')},
      train: {batch_size: 4, epochs: 100, max_steps: 8, optimizer: {learning_rate: 0.02}},
      logging: {report: false},
      ...more,
    }),
    'a test',
  )
}

/** Trains eight steps; losses and where the adapter is. */
async function run(name: string, parts: RunParts): Promise<{losses: number[]; adapter: string}> {
  const losses: number[] = []
  const recipe = recipeOf(name, parts)
  const report = (event: RunEvent): void => void (event.event === 'step' && losses.push(event.loss))
  await runRecipe({device: 'cpu', recipe, report})
  return {adapter: `${inWork(name)}/adapter`, losses}
}

async function logitsOf(model: string, adapter?: string): Promise<Float32Array> {
  await useBackend('wasm')
  const attached = await attachModel({adapter, model})
  try {
    return await logitsInOnePass(attached.model, attached.sites, IDS)
  } finally {
    attached.dispose()
  }
}

const manifestOf = async (adapter: string): Promise<{version: number; base: Record<string, unknown>}> =>
  JSON.parse(await readFile(`${adapter}/adapter.json`, 'utf8')) as Awaited<ReturnType<typeof manifestOf>>

let plain: string
let normed: string
let bare: string

beforeAll(async () => {
  await writeRows(
    inWork('rows.jsonl'),
    goldenRows(await readReference(goldenPath('falcon-mamba', 'reference.safetensors'))),
  )
  plain = await writePlain('plain')
  normed = (await run('normed', {base: plain, norm: true})).adapter
  bare = (await run('bare', {base: plain})).adapter
})

test('a Mamba-1 checkpoint under the norm has the logits that transformers gives the same one as Falcon-Mamba', async () => {
  await useBackend('wasm')
  const reference = await readReference(goldenPath('falcon-mamba', 'reference.safetensors'))
  const model = await loadModel(normedFiles(await openModelDirectory(plain), MIXER_EPSILON))
  const rows = goldenRows(reference).map(({ids}) => logitsInOnePass(model, baseSites(model.weights), ids))
  const found = (await Promise.all(rows)).flatMap((row) => [...row])
  model.weights.dispose()
  expect(difference(found, reference.floats('logits'))).toBeNull()
})

test('training from a checkpoint whose scan overflows stays finite with it, learns, and does neither without', async () => {
  const unstable = await writePlain('unstable', 1e13)
  await expect(run('without', {base: unstable})).rejects.toThrow(NumericError)
  const {losses} = await run('with', {base: unstable, norm: true})
  expect(losses).toHaveLength(8)
  expect(losses.at(-1)).toBeLessThan(losses[0])
})

test('the adapter says so, in a version that programs which would leave it out refuse; without the norm nothing is said', async () => {
  expect(await manifestOf(normed)).toMatchObject({base: {mixer_rms_eps: MIXER_EPSILON}, version: 2})
  const manifest = await manifestOf(bare)
  expect(manifest.version).toBe(1)
  expect(Object.keys(manifest.base).sort()).toEqual(['architecture', 'fingerprint', 'path'])
})

test('merged, it is a Falcon-Mamba checkpoint with the logits of base and adapter', async () => {
  await useBackend('wasm')
  const out = inWork('merged')
  const options = {anyBase: false, base: plain, batches: probeBatches, dtype: 'same', partial: false} as const
  await mergeAdapter({...options, adapter: normed, out})
  const text = await readFile(`${out}/config.json`, 'utf8')
  expect(JSON.parse(text)).toEqual(JSON.parse(await readFile(goldenPath('falcon-mamba', 'config.json'), 'utf8')))
  const attached = await logitsOf(plain, normed)
  expect(difference(await logitsOf(out), attached)).toBeNull()
  expect(difference(await logitsOf(plain, bare), attached)).not.toBeNull()
  // On the same weights under the same norm the adapter goes on as it is.
  expect([...(await logitsOf(goldenPath('falcon-mamba'), normed))]).toEqual([...attached])
})

test('where the model has the norm, the key changes nothing', async () => {
  const [first, second] = [
    await run('falcon-false', {base: goldenPath('falcon-mamba'), norm: false}),
    await run('falcon-true', {base: goldenPath('falcon-mamba'), norm: true}),
  ]
  expect(second.losses).toEqual(first.losses)
  expect((await manifestOf(second.adapter)).base).toEqual((await manifestOf(first.adapter)).base)
})

test('in a conversation each side has its own', async () => {
  await useBackend('wasm')
  const speakers = await loadSpeakers({adapters: [normed, bare], anyBase: false, model: plain})
  const norms = speakers.all.map(({config}) => (config.architecture === 'mamba' ? config.mixerEpsilon : undefined))
  speakers.dispose()
  expect(norms).toEqual([null, MIXER_EPSILON, null])
})

test('formats that cannot say it refuse it, unless the base has the norm itself', async () => {
  const base = {directory: plain, name: 'plain'}
  const peft = {adapter: normed, format: 'peft', out: inWork('peft'), partial: true} as const
  await expect(exportAdapter(peft)).rejects.toThrow(MismatchError)
  await expect(exportAdapter({...peft, base})).rejects.toThrow(/PEFT's format cannot say/)
  await exportAdapter({...peft, base: {directory: goldenPath('falcon-mamba'), name: 'falcon'}})
  const gguf = {adapter: normed, anyBase: false, base, dtype: 'f32', out: inWork('gguf'), partial: true} as const
  await expect(exportGgufLora(gguf)).rejects.toThrow(/llama.cpp cannot say/)
  await exportAdapter({adapter: normed, format: 'safetensors', out: inWork('tensors')})
  expect(await readFile(inWork('tensors/README.md'), 'utf8')).toMatch(/RMSNorm without a weight/)
  expect(await modelCard({adapter: normed, base: plain, baseDirectory: null, kind: 'safetensors'})).toMatch(
    /Base model: `plain`, its Δ, B and C under RMSNorm/,
  )
})

test('what does not go together is refused', async () => {
  await expect(run('mamba2', {base: goldenPath('mamba2'), norm: true})).rejects.toThrow(RecipeError)
  const recipe = recipeOf('plan', {base: goldenPath('mamba2'), norm: true})
  await expect(planRun({device: 'cpu', gpuMemory: null, recipe})).rejects.toThrow(RecipeError)
  await expect(run('other-start', {base: plain, more: {init_adapter: normed}})).rejects.toMatchObject({
    code: 'E_MISMATCH',
    faults: [{message: 'is false in the recipe and true in the saved adapter', where: 'model.stabilising_norm'}],
  })
  const adapters = [normed, bare].map((directory) => ({directory, weight: 1}))
  await expect(combineAdapters({adapters, out: inWork('sum'), rank: null})).rejects.toThrow(/stabilising_norm/)
  await combineAdapters({adapters: [adapters[0], adapters[0]], out: inWork('twice'), rank: null})
  expect(await manifestOf(inWork('twice'))).toMatchObject({base: {mixer_rms_eps: MIXER_EPSILON}, version: 2})
})
