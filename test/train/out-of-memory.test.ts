import {beforeAll, expect, test} from '@jest/globals'
import {readdir} from 'node:fs/promises'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {describeGpu} from '../support/gpu.js'
import {jsonOf, readMetrics, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
let rows = ''

/** Two short batches, then long ones. */
const LENGTHS = [20, 20, 22, 22, 120, 120]

beforeAll(async () => {
  rows = await writeRows(inWork('rows.jsonl'), unevenRows(LENGTHS))
})

interface Failure {
  readonly code: string
  readonly faults: readonly {where: string; message: string}[]
  readonly hint: string
  readonly message: string
}

function train(name: string, limit: string, training: Record<string, unknown> = {}): Promise<RunResult> {
  return writeRecipe(inWork(`${name}.yaml`), {
    data: {shuffle: false},
    output: inWork(name),
    train: rows,
    training,
  }).then((recipe) => runCommand(['train', recipe, '--device', 'gpu', '--gpu-memory', limit, '--json']))
}

describeGpu('a run that finds too little memory', () => {
  test('ends with exit code 6 and keeps the adapter of the steps done', async () => {
    const result = await train('stopped', '0.0009', {checkpointing: 'none'})
    const {error} = jsonOf(result, 6) as unknown as {error: Failure}
    expect(error).toMatchObject({
      code: 'E_MEMORY',
      message: expect.stringMatching(
        /^The limit of 944 KiB is reached: \d+ KiB of the GPU's memory are in use, and \d+ KiB more are needed\. Stopped after step 2 of 3\. The adapter as it is now is in /,
      ),
    })
    expect(error.faults.map(({where}) => where)).toEqual([
      'weights',
      'adapters',
      'optimizer',
      'activations',
      'logits',
      'scratch',
      'a step in all',
      'measured',
    ])
    expect(error.hint).toMatch(/^--set train\.\S+.* \(\d+ KiB predicted\)$/m)
    expect((await readMetrics(inWork('stopped'))).steps).toHaveLength(2)
    const {values} = await readAdapter(inWork('stopped', 'adapter'))
    for (const tensor of values.values()) expect(tensor.values.every((value) => Number.isFinite(value))).toBe(true)
    // B starts as zero and moves with the first step.
    const [, moved] = [...values].find(([name]) => name.endsWith('lora_B')) ?? []
    expect(moved?.values.some((value) => value !== 0)).toBe(true)
  })

  test('fits with the settings that are predicted to', async () => {
    const {error} = jsonOf(await train('first', '0.0009', {checkpointing: 'none'}), 6) as unknown as {error: Failure}
    const [choice] = error.hint.split('\n')
    const settings = choice.replace(/ \(.*/, '').split(' ')
    const recipe = await writeRecipe(inWork('second.yaml'), {
      data: {shuffle: false},
      output: inWork('second'),
      train: rows,
      training: {checkpointing: 'none'},
    })
    const again = await runCommand([
      'train',
      recipe,
      '--device',
      'gpu',
      '--gpu-memory',
      '0.0009',
      ...settings,
      '--json',
    ])
    expect(jsonOf(again)).toMatchObject({steps: 3})
  })

  test('before its first step leaves nothing behind', async () => {
    const {error} = jsonOf(await train('nothing', '0.00008'), 6)
    expect(error).toMatchObject({code: 'E_MEMORY'})
    await expect(readdir(inWork('nothing'))).rejects.toMatchObject({code: 'ENOENT'})
  })

  test('computes activations again where keeping them does not fit, and trains on', async () => {
    const result = await train('auto', '0.0011')
    expect(result.stderr).toMatch(
      /activations are computed again in the backward pass, because .* \(1\.1 MiB, --gpu-memory\)/,
    )
    expect(jsonOf(result)).toMatchObject({device: 'gpu', steps: 3})
  })
})

describeGpu('an evaluation that finds too little memory', () => {
  test('ends with exit code 6 and names a batch that is predicted to fit', async () => {
    const args = ['eval', goldenPath('mamba1'), '--data', rows, '--format', 'tokens', '--device', 'gpu', '--json']
    const {error} = jsonOf(await runCommand([...args, '--gpu-memory', '0.0006']), 6) as unknown as {error: Failure}
    expect(error.code).toBe('E_MEMORY')
    const flags = /^(--batch-size=\d+)( --max-length=\d+)? \(\d+ KiB predicted\)$/.exec(error.hint)
    expect(flags).not.toBeNull()
    const smaller = flags?.slice(1).flatMap((flag) => (flag ? [flag.trim()] : [])) ?? []
    expect((await runCommand([...args, '--gpu-memory', '0.0006', ...smaller])).code).toBe(0)
  })
})
