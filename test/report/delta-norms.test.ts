import {describe, expect, test} from '@jest/globals'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type MambaConfig} from '../../src/model/config.js'
import {checkpointName} from '../../src/model/parameters.js'
import {mergeSteps} from '../../src/peft/merge.js'
import {readAdapter, type SavedAdapter} from '../../src/peft/saved-adapter.js'
import {adaptableSites} from '../../src/peft/sites-of.js'
import {type DeltaNorm, deltaNorms} from '../../src/report/delta-norms.js'
import {difference, type Tolerance} from '../support/close.js'
import {goldenPath} from '../support/golden.js'
import {configIn, lora, STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

/** Merging rounds ΔW to f32; the norms are f64. */
const ROUNDED: Tolerance = {absolute: 0, relative: 1e-6}

const inWork = workDirectory()

/** ΔW as merging makes it: the steps on weights that are zero. */
async function merged(saved: SavedAdapter, model: string, config: MambaConfig): Promise<Map<string, Float32Array>> {
  const {tensors} = await openModelDirectory(model)
  const result = new Map<string, Float32Array>()
  for (const [name, step] of mergeSteps(saved, config)) {
    const shape = tensors.get(name)?.shape ?? []
    const weight = new Float32Array(shape.reduce((product, length) => product * length, 1))
    step(weight, weight)
    result.set(name, weight)
  }
  return result
}

const frobenius = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))

describe.each([
  [
    'mamba1',
    [
      lora({targets: ['in_proj', 'x_proj', 'conv1d']}),
      lora({alpha: 9, rank: 2, targets: ['in_proj.z', 'out_proj', 'x_proj.B']}),
    ],
  ],
  [
    'mamba2',
    [lora({targets: ['in_proj']}), lora({rank: 5, rslora: true, targets: ['in_proj.dt', 'in_proj.x', 'out_proj']})],
  ],
] as const)('on %s', (name, settings) => {
  test('norms by layer and slice are those of what merging adds, updates of one place together', async () => {
    const model = goldenPath(name)
    const config = await configIn(model)
    const saved = await readAdapter(await writeRandomAdapter(inWork(name), {model, settings}))
    const weights = await merged(saved, model, config)
    const found = new Map(deltaNorms(saved, config).map((cell) => [`${cell.layer} ${cell.slice}`, cell]))
    const sites = adaptableSites(config)
    const parts = sites.filter(
      ({module, slice}) => slice !== null || sites.filter((site) => site.module === module).length === 1,
    )
    const expected = parts.flatMap(({from, inputs, module, slice, to}) => {
      const weight = weights.get(checkpointName(module, 'weight'))
      if (!weight) return []
      const [, layer, projection] = module.split('.').flatMap((word) => (word === 'mixer' ? [] : word))
      const norm = frobenius(weight.subarray(from * inputs, to * inputs))
      return [
        {
          key: `${layer} ${slice === null ? projection : `${projection}.${slice}`}`,
          norm,
          rms: norm / Math.sqrt((to - from) * inputs),
        },
      ]
    })
    expect([...found.keys()].sort()).toEqual(expected.map(({key}) => key).sort())
    for (const {key, norm, rms} of expected) {
      const {norm: ours, rms: oursEach} = found.get(key) as DeltaNorm
      expect([key, difference([ours, oursEach], [norm, rms], ROUNDED)]).toEqual([key, null])
    }
  })
})

test('first states have the norm of their numbers, and of the product where they have a rank', async () => {
  const settings = [STATE, {...STATE, conv: false, rank: 2}]
  const saved = await readAdapter(await writeRandomAdapter(inWork('states'), {settings}))
  const cells = deltaNorms(saved, null)
  expect(cells.map(({kind, layer, slice}) => [kind, layer, slice])).toEqual(
    expect.arrayContaining([0, 1].flatMap((layer) => ['conv', 'scan', 'scan'].map((slice) => ['state', layer, slice]))),
  )
  const whole = saved.values.get('adapters.0.layers.1.mixer.initial_state.scan')?.values ?? new Float32Array()
  expect(cells.map(({norm}) => norm)).toContain(frobenius(whole))
})

test('without the base the parts are those that the adapter names', async () => {
  const settings = [lora({targets: ['in_proj', 'x_proj.B']})]
  const saved = await readAdapter(await writeRandomAdapter(inWork('unknown'), {settings}))
  expect(new Set(deltaNorms(saved, null).map(({slice}) => slice))).toEqual(new Set(['in_proj', 'x_proj.B']))
})
