import {beforeAll, describe, expect, test} from '@jest/globals'
import {copyFile, mkdir} from 'node:fs/promises'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {describeGpu} from '../support/gpu.js'
import {jsonOf, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = goldenPath('mamba1')
const PARTS = ['weights', 'adapters', 'optimizer', 'activations', 'logits', 'scratch']

const inWork = workDirectory()
let recipe = ''

beforeAll(async () => {
  const train = await writeRows(inWork('rows.jsonl'), unevenRows([12, 9, 20, 15, 40]))
  recipe = await writeRecipe(inWork('recipe.yaml'), {output: inWork('run'), train})
})

/** As on a machine without a GPU, where no driver answers. */
const planWithoutGpu = (...args: string[]): Promise<RunResult> =>
  runCommand(['plan', ...args], {env: {VK_DRIVER_FILES: 'there-is-no-such-driver.json'}})

interface Memory extends Record<string, number> {
  total: number
}

describe('plan', () => {
  test('tells parameters, steps and memory of a GPU without having one', async () => {
    const plan = jsonOf(await planWithoutGpu(recipe, '--device', 'gpu', '--json'))
    expect(plan).toMatchObject({
      available: {source: expect.any(String)},
      base_parameters: 20_448,
      checkpointing: {chosen: 'none', setting: 'auto'},
      device: 'gpu',
      device_description: 'gpu, none answers here',
      fits: true,
      fitting: [],
      measured: null,
      precision: 'f16',
      steps: {batch_size: 2, length: 40, problem: null, rows: 5, steps: 3, steps_per_epoch: 3, tokens_per_step: 80},
      // Rank 4 on in_proj (128, 32) and x_proj (20, 64) of two layers
      trainable_parameters: 2 * 4 * (128 + 32 + 20 + 64),
    })
    const memory = plan.memory as Memory
    expect(PARTS.reduce((sum, part) => sum + memory[part], 0)).toBe(memory.total)
    expect((plan.checkpointing as Record<string, number>).none).toBe(memory.total)
  })

  test('prints a list of facts and a table of memory', async () => {
    const {code, stdout} = await planWithoutGpu(recipe, '--device', 'gpu', '--set', 'model.dtype=f32')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^trained {8}1,952 of 22,400 numbers, 8\.71 %$/m)
    expect(stdout).toMatch(/^steps {10}3, an epoch of 5 rows is 3$/m)
    expect(stdout).toMatch(/^batch {10}2 rows, up to 40 tokens each: 80 tokens a step, 32 without padding on average$/m)
    expect(stdout).toMatch(/^checkpointing {2}auto takes none; none takes \d+ KiB, block \d+ KiB$/m)
    expect(stdout).toMatch(/^fits {11}yes$/m)
    expect(stdout).toMatch(/^total +\d+ KiB {2}at the (loss|forward pass|backward pass)$/m)
  })

  test('names settings that would fit', async () => {
    const limit = ['--gpu-memory', '0.0002']
    const {code, stdout} = await planWithoutGpu(recipe, '--device', 'gpu', ...limit)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^available {6}210 KiB, --gpu-memory$/m)
    expect(stdout).toMatch(/^fits {11}no$/m)
    expect(stdout).toMatch(/^Predicted to fit:$/m)
    expect(stdout).toMatch(/^ +\d+ KiB {2}--set train\.batch_size=1 --set train\.gradient_accumulation=2/m)
  })

  test('takes the limit from the environment too', async () => {
    const env = {MAMBATUNE_GPU_MEMORY: '0.0002', VK_DRIVER_FILES: 'there-is-no-such-driver.json'}
    const plan = jsonOf(await runCommand(['plan', recipe, '--device', 'gpu', '--json'], {env}))
    expect(plan).toMatchObject({available: {bytes: 214_748, source: '--gpu-memory'}, fits: false})
  })

  test('needs nothing of a model but its config, and no data', async () => {
    await mkdir(inWork('config-only'))
    await copyFile(`${MODEL}/config.json`, inWork('config-only', 'config.json'))
    const [model, data] = [`model.base=${inWork('config-only')}`, `data.train=${inWork('absent.jsonl')}`]
    const plan = jsonOf(await planWithoutGpu(recipe, '--device', 'gpu', '--set', model, '--set', data, '--json'))
    expect(plan).toMatchObject({
      base_parameters: 20_448,
      steps: {length: 128, problem: expect.stringContaining('absent.jsonl'), rows: null, steps: null},
    })
  })

  test('where no GPU answers, auto is the processor', async () => {
    const plan = jsonOf(await planWithoutGpu(recipe, '--json'))
    expect(plan).toMatchObject({device: 'cpu', precision: 'f32'})
  })

  test.each([
    ['a model that is not there', ['--set', 'model.base=nothing'], 4],
    ['a target that matches nothing', ['--set', 'adapters.0.targets=[q_proj]'], 3],
    ['an unknown key', ['--set', 'train.rows=2'], 3],
    ['a limit that is no number', ['--gpu-memory', 'all'], 2],
  ])('leaves with the usual code for %s', async (_, flags, code) => {
    expect((await planWithoutGpu(recipe, '--device', 'gpu', ...flags)).code).toBe(code)
  })
})

describeGpu('plan --measure', () => {
  test('runs a step, and finds what was estimated', async () => {
    const plan = jsonOf(await runCommand(['plan', recipe, '--device', 'gpu', '--measure', '--json']))
    const [memory, measured] = [plan.memory as Memory, plan.measured as Memory]
    expect(Math.abs(memory.total / measured.total - 1)).toBeLessThan(0.1)
    expect(measured.weights + measured.adapters + measured.optimizer + measured.step).toBe(measured.total)
    const {stdout} = await runCommand(['plan', recipe, '--device', 'gpu', '--measure'])
    expect(stdout).toMatch(/^total +\d+ KiB +\d+ KiB +[+−]\d\.\d %$/m)
  })

  test('says that only a GPU can be measured', async () => {
    const {error} = jsonOf(await runCommand(['plan', recipe, '--device', 'cpu', '--measure', '--json']), 5)
    expect(error).toMatchObject({code: 'E_DEVICE', hint: expect.stringContaining('--device gpu')})
  })
})
