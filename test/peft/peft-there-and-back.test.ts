/** Adapters with tables and whole tensors, written for PEFT and read again: the same logits, and PEFT's own names and settings. */
import {afterAll, beforeAll, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {readPeftFiles} from '../../src/checkpoint/adapter-directory.js'
import {MismatchError} from '../../src/errors.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {exportAdapter} from '../../src/peft/export-adapter.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {logitsInOnePass} from '../support/golden-model.js'
import {random, updateOf, writePeft} from '../support/peft-adapter.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const IDS = Int32Array.from({length: 20}, (_, index) => (7 * index + 3) % 96)
const inWork = workDirectory()

beforeAll(async () => {
  await useBackend('wasm')
})

afterAll(() => {
  expect(tf.memory().numTensors).toBe(0)
})

const logitsOf = async (adapter: string, model: string): Promise<Float32Array> => {
  const attached = await attachModel({adapter, model})
  const logits = await logitsInOnePass(attached.model, attached.sites, IDS)
  attached.dispose()
  return logits
}

test.each([
  ['mamba1', ['backbone.embeddings.lora_embedding_A', 'lm_head.lora_A.weight']],
  ['mamba1-untied-bias', ['backbone.embeddings.lora_embedding_A']],
])('the embedding of %s is written for every use that it has', async (name, expected) => {
  const model = goldenPath(name)
  const adapter = await writeRandomAdapter(inWork(name), {
    model,
    settings: [lora({targets: ['embeddings', 'in_proj']})],
  })
  await exportAdapter({adapter, format: 'peft', out: inWork(`${name}-peft`)})
  const {config, tensors} = await readPeftFiles(inWork(`${name}-peft`))
  const tables = [...tensors.keys()].filter((tensor) => !tensor.includes('layers') && tensor.includes('_A'))
  expect(tables).toEqual(expected.map((tensor) => `base_model.model.${tensor}`))
  expect(tensors.get('base_model.model.backbone.embeddings.lora_embedding_B')?.shape).toEqual([32, 3])
  const modules = [...expected.slice(1).map(() => 'lm_head'), 'in_proj', 'embeddings'].sort()
  expect(config.target_modules).toEqual(modules)
  const before = await logitsOf(adapter, model)
  expect(difference(await logitsOf(inWork(`${name}-peft`), model), before)).toBeNull()
})

test('whole tensors are written as biases and saved modules, and what PEFT cannot save is named', async () => {
  const model = goldenPath('mamba1')
  const mixer = 'backbone.layers.0.mixer'
  const config = {bias: 'all', modules_to_save: ['conv1d', 'norm_f', 'x_proj']}
  const whole = [
    random(`${mixer}.conv1d.weight`, 64, 1, 4),
    random(`${mixer}.conv1d.bias`, 64),
    random('backbone.norm_f.weight', 32),
  ] as const
  const held = await writePeft(inWork('held'), config, [...updateOf(`${mixer}.in_proj`, 2, 128, 32), ...whole])
  await exportAdapter({adapter: held, format: 'peft', out: inWork('again')})
  const {config: written, tensors} = await readPeftFiles(inWork('again'))
  const modules = ['backbone.layers.0.mixer.conv1d', 'backbone.norm_f']
  expect(written).toMatchObject({bias: 'all', modules_to_save: modules, r: 2})
  const carried = [...tensors.keys()].filter((tensor) => !tensor.includes('lora_'))
  expect(carried.sort()).toEqual(whole.map(([name]) => name).sort())
  expect(difference(await logitsOf(inWork('again'), model), await logitsOf(held, model))).toBeNull()

  const alone = await writePeft(inWork('alone'), config, [random(`${mixer}.x_proj.weight`, 20, 64)])
  const exporting = exportAdapter({adapter: alone, format: 'peft', out: inWork('refused')})
  await expect(exporting).rejects.toThrow(MismatchError)
  await expect(exporting).rejects.toMatchObject({
    faults: [
      {message: 'PEFT has no adapter without LoRA on any module', where: expect.stringContaining('x_proj.weight')},
    ],
  })
})
