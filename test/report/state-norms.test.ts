import {expect, test} from '@jest/globals'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {stateNorms} from '../../src/report/state-norms.js'
import {STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

test('first states have the norm of their numbers, and of the product where they have a rank', async () => {
  const settings = [STATE, {...STATE, conv: false, rank: 2}]
  const saved = await readAdapter(await writeRandomAdapter(inWork('states'), {settings}))
  const cells = stateNorms(saved)
  expect(cells.map(({layer, part}) => [layer, part])).toEqual(
    expect.arrayContaining([0, 1].flatMap((layer) => ['conv', 'scan', 'scan'].map((part) => [layer, part]))),
  )
  const whole = saved.values.get('adapters.0.layers.1.mixer.initial_state.scan')?.values ?? new Float32Array()
  const norm = Math.sqrt(whole.reduce((sum, value) => sum + value ** 2, 0))
  expect(cells).toContainEqual({layer: 1, norm, part: 'scan', rms: norm / Math.sqrt(whole.length)})
  const [u, v] = ['U', 'V'].map((factor) => saved.values.get(`adapters.1.layers.0.mixer.initial_state.scan.${factor}`))
  const [rows, rank] = u?.shape ?? []
  const [columns] = v?.shape ?? []
  const product = Array.from({length: rows * columns}, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns]
    const term = (k: number): number => (u?.values[row * rank + k] ?? 0) * (v?.values[column * rank + k] ?? 0)
    return Array.from({length: rank}, (_, k) => term(k)).reduce((sum, value) => sum + value, 0)
  })
  expect(cells.filter(({layer}) => layer === 0).map((cell) => cell.norm)).toContainEqual(
    expect.closeTo(Math.hypot(...product), 5),
  )
})
