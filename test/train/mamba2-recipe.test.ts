import {expect, test} from '@jest/globals'
import {runCommand} from '../cli/run-command.js'
import {difference} from '../support/close.js'
import {readReference} from '../support/golden.js'
import {jsonOf, readMetrics} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

const trained = async (out: string): Promise<Record<string, unknown>> => {
  const few = ['train.max_steps=6', 'train.batch_size=4', 'eval.at_start=false', 'data.validation=null']
  const settings = [...few, `output_dir=${inWork(out)}`].flatMap((setting) => ['--set', setting])
  return jsonOf(
    await runCommand(['train', 'recipes/mamba2-definitions.yaml', '--device', 'cpu', ...settings, '--json']),
  )
}

test('the recipe for Mamba-2 lowers the loss in six steps, trains all its numbers, and repeats to the byte', async () => {
  // d 256, E 512, N 64, H 16, P 32, K 4: LoRA of rank 16 and of rank 8, and U, V and the window of the first state
  const numbers = 8 * (16 * (1168 + 256 + 256 + 512) + 8 * (16 + 64 + 64 + 3 * 256) + 4 * 16 * (32 + 64) + 640 * 3)
  expect(await trained('first')).toMatchObject({trainable_parameters: numbers})
  const {steps} = await readMetrics(inWork('first'))
  const losses = steps.map(({loss}) => Number(loss))
  expect(losses).toHaveLength(6)
  expect(losses[4] + losses[5]).toBeLessThan(losses[0] + losses[1] - 0.2)
  await trained('second')
  const again = await readMetrics(inWork('second'))
  expect(again.steps.map(({loss}) => loss)).toEqual(steps.map(({loss}) => loss))
})

test('what it trained can be read, generated with, merged in part and exported as a state', async () => {
  const adapter = inWork('first', 'adapter')
  const inspected = jsonOf(await runCommand(['inspect', adapter, '--json']))
  expect(inspected).toMatchObject({base: {path: 'models/tiny-mamba2'}, kind: 'adapter', merge: {exact: false}})
  const onBase = ['--adapter', adapter, '--device', 'cpu', '--json']
  const generate = ['generate', 'models/tiny-mamba2', '--prompt', 'harbor:', '--max-new-tokens', '4', ...onBase]
  expect((await runCommand(generate)).code).toBe(0)
  const merge = ['merge', adapter, '--base', 'models/tiny-mamba2', '--out', inWork('merged'), '--partial']
  expect(jsonOf(await runCommand([...merge, '--device', 'cpu', '--json']))).toMatchObject({passed: true})
  const state = ['export', adapter, '--format', 'state', '--out', inWork('state'), '--partial', '--json']
  expect((await runCommand(state)).code).toBe(0)
  const [factors, whole] = await Promise.all(
    [inWork('first', 'adapter', 'adapter.safetensors'), inWork('state', 'state.safetensors')].map(readReference),
  )
  expect(whole.shape('layers.3.scan')).toEqual([16, 32, 64])
  const [u, v] = ['U', 'V'].map((factor) => factors.floats(`adapters.2.layers.3.mixer.initial_state.scan.${factor}`))
  const expected = Float64Array.from({length: 16 * 32 * 64}, (_, index) => {
    const [head, p, n] = [Math.floor(index / 2048), Math.floor(index / 64) % 32, index % 64]
    return [0, 1, 2, 3].reduce((sum, k) => sum + u[(head * 32 + p) * 4 + k] * v[(head * 64 + n) * 4 + k], 0)
  })
  expect(difference(whole.floats('layers.3.scan'), expected)).toBeNull()
})
