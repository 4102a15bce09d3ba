/**
 * What is exported as GGUF, run by llama.cpp: the same greedy tokens as ours. Needs `npm ci --omit=optional
 * --ignore-scripts` in test/llama-cpp; without it a skipped test is shown, or with MAMBATUNE_REQUIRE_LLAMA=1 a failed one.
 */
import {beforeAll, describe, expect, test} from '@jest/globals'
import {execFile} from 'node:child_process'
import {existsSync} from 'node:fs'
import {promisify} from 'node:util'
import {loadTokenizer} from '../../src/data/tokenizer.js'
import {exportGguf} from '../../src/model/export-gguf.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {exportGgufLora} from '../../src/peft/export-gguf-lora.js'
import {exportMergedGguf} from '../../src/peft/export-merged-gguf.js'
import {generate} from '../../src/peft/generate.js'
import {useBackend} from '../support/device.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const installed = existsSync('test/llama-cpp/node_modules/node-llama-cpp')
const describeLlama = installed ? describe : describe.skip
if (!installed) {
  const noticed = process.env.MAMBATUNE_REQUIRE_LLAMA === '1' ? test : test.skip
  noticed('llama.cpp is installed', () => {
    throw new Error('Type: cd test/llama-cpp && npm ci --omit=optional --ignore-scripts')
  })
}

const PROMPT = "The state of  the\n\nwörld's 123 <|endoftext|>is"
const TOKENS = 24

const SETTINGS = {
  'tiny-mamba': [
    lora({rank: 4, targets: ['in_proj.x', 'x_proj', 'out_proj']}),
    lora({rslora: true, targets: ['in_proj', 'x_proj.B', 'dt_proj']}),
  ],
  'tiny-mamba2': [
    lora({rank: 4, targets: ['in_proj.z', 'in_proj.dt', 'out_proj']}),
    lora({rslora: true, targets: ['in_proj']}),
  ],
} as const

interface Continuation {
  readonly promptIds: readonly number[]
  readonly ids: readonly number[]
}

async function byLlama(jobs: readonly object[]): Promise<readonly Continuation[]> {
  const {stdout} = await promisify(execFile)(process.execPath, ['test/llama-cpp/greedy.mjs', JSON.stringify(jobs)])
  return JSON.parse(stdout) as Continuation[]
}

async function byUs(model: string, adapter?: string): Promise<Continuation> {
  await useBackend('wasm')
  const attached = await attachModel({adapter, model})
  const options = {maxNewTokens: TOKENS, seed: 1, stop: [], temperature: 0, topK: null, topP: 1}
  const tokenizer = {...(await loadTokenizer(model)), eosId: null}
  const {generated_ids: ids, prompt_ids: promptIds} = await generate(attached, tokenizer, PROMPT, options)
  attached.dispose()
  return {ids, promptIds}
}

describeLlama.each(['tiny-mamba', 'tiny-mamba2'] as const)('llama.cpp goes on as we do: %s', (name) => {
  const inWork = workDirectory()
  const model = `models/${name}`
  let ours: {readonly base: Continuation; readonly adapted: Continuation}
  let theirs: readonly Continuation[] = []

  beforeAll(async () => {
    const adapter = await writeRandomAdapter(inWork('adapter'), {model, settings: SETTINGS[name]})
    const own = {model, name, tokenizer: model}
    const both = {adapter, anyBase: false, base: {directory: model, name: model}, partial: false}
    await exportGguf({...own, dtype: 'f32', out: inWork('f32')})
    await exportGguf({...own, dtype: 'f16', out: inWork('f16')})
    await exportGgufLora({...both, dtype: 'f32', out: inWork('lora')})
    await exportMergedGguf({...both, ...own, baseName: model, dtype: 'f32', out: inWork('merged')})
    ours = {adapted: await byUs(model, adapter), base: await byUs(model)}
    const job = {prompt: PROMPT, tokens: TOKENS}
    theirs = await byLlama([
      {...job, model: inWork('f32', 'model.gguf')},
      {...job, model: inWork('f16', 'model.gguf')},
      {...job, lora: inWork('lora', 'adapter.gguf'), model: inWork('f32', 'model.gguf')},
      {...job, model: inWork('merged', 'model.gguf')},
    ])
  })

  test('the model in f32 and f16', () => {
    expect(theirs[0]).toEqual(ours.base)
    expect(theirs[1]).toEqual(ours.base)
  })

  test('with an adapter beside it, and with the adapter merged in', () => {
    expect(ours.adapted.ids).not.toEqual(ours.base.ids)
    expect(theirs[2]).toEqual(ours.adapted)
    expect(theirs[3]).toEqual(ours.adapted)
  })
})
