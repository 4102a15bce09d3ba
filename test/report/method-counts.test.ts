/** What `mambatune plan` counts for the published sizes, against numbers counted from the papers' formulas. */
import {describe, expect, test} from '@jest/globals'
import {writeFile} from 'node:fs/promises'
import {recipeSchema} from '../../src/recipe/schema.js'
import {planRun} from '../../src/report/plan.js'
import {workDirectory} from '../support/work-directory.js'

const CONFIGS = {
  'mamba-1.4b': {hidden_size: 2048, model_type: 'mamba', num_hidden_layers: 48, vocab_size: 50_280},
  'mamba-130m': {hidden_size: 768, model_type: 'mamba', num_hidden_layers: 24, vocab_size: 50_280},
  'mamba2-1.3b': mamba2(2048, 48),
  'mamba2-130m': mamba2(768, 24),
}

function mamba2(hidden: number, layers: number): Record<string, unknown> {
  const shared = {hidden_size: hidden, model_type: 'mamba2', n_groups: 1, num_heads: hidden / 32}
  return {...shared, num_hidden_layers: layers, tie_word_embeddings: true, vocab_size: 50_288}
}

const lora = (target: string): Record<string, unknown> => ({method: 'lora', rank: 8, targets: [target]})
const partial = (...targets: string[]): Record<string, unknown> => ({method: 'partial', targets})

const MAMBA1: [string, Record<string, unknown>, number, number][] = [
  ['LoRA in_proj', lora('in_proj'), 737_280, 3_932_160],
  ['LoRA out_proj', lora('out_proj'), 442_368, 2_359_296],
  ['LoRA x_proj', lora('x_proj'), 310_272, 1_634_304],
  ['LoRA dt_proj', lora('dt_proj'), 304_128, 1_622_016],
  ['LoRAp(X) of rank 64', {...lora('in_proj.x'), rank: 64}, 3_538_944, 18_874_368],
  ['initial state of the scan', {conv: false, method: 'initial-state'}, 589_824, 3_145_728],
  ['D', partial('D'), 36_864, 196_608],
  ['dt bias', partial('dt_proj.bias'), 36_864, 196_608],
  ['BitFit', partial('conv1d.bias', 'dt_proj.bias'), 73_728, 393_216],
  ['A_log', partial('A_log'), 589_824, 3_145_728],
  ['conv1d', partial('conv1d'), 184_320, 983_040],
  ['everything', partial('*'), 129_135_360, 1_372_178_432],
  ['SDT with a LoRA', {method: 'sparse-dimension'}, 455_328, 2_430_144],
]

const MAMBA2: typeof MAMBA1 = [
  ['LoRA in_proj', lora('in_proj'), 791_040, 4_055_040],
  ['LoRA out_proj', lora('out_proj'), 442_368, 2_359_296],
  ['initial state of the scan', {conv: false, method: 'initial-state'}, 4_718_592, 25_165_824],
  ['A_log, D and dt bias', partial('A_log', 'D', 'dt_bias'), 1728, 9216],
  ['everything', partial('*'), 128_989_632, 1_343_757_312],
]

describe('plan', () => {
  const inWork = workDirectory()

  const planned = async (model: keyof typeof CONFIGS, adapter: Record<string, unknown>): Promise<unknown> => {
    await writeFile(inWork('config.json'), JSON.stringify(CONFIGS[model]))
    const raw = {adapters: [adapter], data: {train: 'none.jsonl'}, model: {base: inWork()}, version: 1}
    const {plan} = await planRun({device: 'cpu', gpuMemory: null, recipe: recipeSchema.parse(raw)})
    return [plan.base_parameters, plan.trainable_parameters]
  }

  test.each(MAMBA1)('counts %s of Mamba-1', async (_name, adapter, small, large) => {
    expect(await planned('mamba-130m', adapter)).toEqual([129_135_360, small])
    expect(await planned('mamba-1.4b', adapter)).toEqual([1_372_178_432, large])
  })

  test.each(MAMBA2)('counts %s of Mamba-2', async (_name, adapter, small, large) => {
    expect(await planned('mamba2-130m', adapter)).toEqual([128_989_632, small])
    expect(await planned('mamba2-1.3b', adapter)).toEqual([1_343_757_312, large])
  })

  test('counts ProDiaL with 64 blocks', async () => {
    expect(await planned('mamba-130m', {method: 'prodial'})).toEqual([129_135_360, 2_377_728])
  })

  test('tells what a warm-up trains beside what is trained in the end', async () => {
    await writeFile(inWork('config.json'), JSON.stringify(CONFIGS['mamba-130m']))
    const adapters = [{method: 'sparse-dimension', warmup_steps: 249}]
    const raw = {adapters, data: {train: 'none.jsonl'}, model: {base: inWork()}, version: 1}
    const {plan} = await planRun({device: 'cpu', gpuMemory: null, recipe: recipeSchema.parse(raw)})
    // E N of 24 layers, and the LoRA
    expect(plan.warmup).toEqual({steps: 249, trainable_parameters: 24 * 1536 * 16 + 442_368})
  })
})
