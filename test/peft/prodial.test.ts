import {beforeAll, describe, expect, test} from '@jest/globals'
import {RandomStream} from '../../src/data/random.js'
import {RecipeError} from '../../src/errors.js'
import {AdapterSet, parameterSpecs} from '../../src/peft/adapter-set.js'
import {mergeSteps} from '../../src/peft/merge.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {configIn, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'
import {prodial} from './parameter-rows.js'

describe('prodial', () => {
  const inWork = workDirectory()

  beforeAll(() => useBackend('wasm'))

  test('merges to diag(1 + σ) W (I + blockdiag(R)) + s B A, as dense matrices have it', async () => {
    const settings = prodial({alpha: 6, blocks: 4, rank: 3, targets: ['layers.1.mixer.out_proj']})
    const saved = await readAdapter(await writeRandomAdapter(inWork('adapter'), {settings: [settings]}))
    const of = (part: string): Float32Array =>
      saved.values.get(`adapters.0.layers.1.mixer.out_proj.${part}`)?.values ?? new Float32Array()
    const [rows, columns, width] = [32, 64, 16]
    const random = new RandomStream(1, 'test', 'weight')
    const weight = Float32Array.from({length: rows * columns}, () => random.normal())
    const d = (i: number, j: number): number =>
      (i === j ? 1 : 0) + (Math.trunc(i / width) === Math.trunc(j / width) ? of('blocks')[i * width + (j % width)] : 0)
    const expected = Float64Array.from(weight, (_, at) => {
      const [row, column] = [Math.trunc(at / columns), at % columns]
      let sum = 0
      for (let i = 0; i < columns; i++) sum += weight[row * columns + i] * d(i, column)
      sum *= 1 + of('row_scale')[row]
      for (let k = 0; k < 3; k++) sum += (6 / 3) * of('lora_B')[row * 3 + k] * of('lora_A')[k * columns + column]
      return sum
    })
    const steps = mergeSteps(saved, await configIn(goldenPath('mamba1')))
    expect([...steps.keys()]).toEqual(['backbone.layers.1.mixer.out_proj.weight'])
    steps.get('backbone.layers.1.mixer.out_proj.weight')?.(weight, weight.slice())
    expect(difference(weight, expected)).toBeNull()
  })

  test('is refused on slices, on the convolution and with blocks that do not divide, all at once', async () => {
    const config = await configIn(goldenPath('mamba1'))
    const settings = prodial({blocks: 48, targets: ['in_proj.x', 'conv1d', 'out_proj', 'in_proj']})
    const create = (): AdapterSet => AdapterSet.create([settings], config, 1)
    expect(create).toThrow(RecipeError)
    let faults: readonly {message: string; where: string}[] = []
    try {
      create()
    } catch (error) {
      ;({faults} = error as RecipeError)
    }
    expect(faults.map(({where}) => where)).toEqual([
      "adapters.0.targets 'in_proj.x'",
      "adapters.0.targets 'conv1d'",
      'adapters.0.blocks',
      'adapters.0.blocks',
    ])
    expect(faults[2].message).toBe('is 48, which does not divide the 32 inputs of in_proj; expected 32, say')
  })

  test('has square blocks as wide as the inputs of the projection, divided', async () => {
    const specs = parameterSpecs([prodial({blocks: 16})], await configIn(goldenPath('mamba2')))
    const shapeOf = (name: string): readonly number[] | undefined =>
      specs.get(`adapters.0.layers.0.mixer.${name}`)?.shape
    expect(shapeOf('in_proj.blocks')).toEqual([16, 2, 2])
    expect(shapeOf('out_proj.blocks')).toEqual([16, 4, 4])
  })
})
