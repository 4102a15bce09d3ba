import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type MambaConfig, readMambaConfig} from '../../src/model/config.js'
import {arenaPlaceOf} from '../../src/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'

const lora = (targets: string[]): AdapterSettings => ({
  alpha: 8,
  dropout: 0,
  method: 'lora',
  rank: 3,
  rslora: false,
  targets,
})

const SETTINGS = [lora(['in_proj']), lora(['x_proj', 'out_proj'])]

async function configOf(name: string): Promise<MambaConfig> {
  const {config} = await openModelDirectory(goldenPath(name))
  return readMambaConfig(config, goldenPath(name))
}

/** Values of fresh adapters by name, and whether each lies in an arena, all in the same one. */
async function fresh(config: MambaConfig): Promise<{values: Record<string, number[]>; together: boolean}> {
  const adapters = AdapterSet.create(SETTINGS, config, 7)
  const wholes = new Set([...adapters.variables.values()].map((variable) => arenaPlaceOf(variable)?.whole))
  const values = Object.fromEntries([...(await adapters.values())].map(([name, {values: list}]) => [name, [...list]]))
  adapters.dispose()
  return {together: wholes.size === 1 && !wholes.has(undefined), values}
}

describeGpu('adapters on the GPU', () => {
  test('are in one arena, with the values that they have elsewhere, and leave nothing', async () => {
    const config = await configOf('mamba1')
    await useBackend('wasm')
    const {values} = await expectNoLeak(() => fresh(config))
    const backend = await useGpu()
    const before = backend.gpuMemory().live
    expect(await expectNoLeak(() => fresh(config))).toEqual({together: true, values})
    expect(backend.gpuMemory().live).toBe(before)
  })

  test('may be none', async () => {
    const config = await configOf('mamba1')
    await useGpu()
    await expectNoLeak(() => {
      const none = AdapterSet.create([], config, 0)
      expect(none.size).toBe(0)
      none.dispose()
    })
    expect(tf.memory().numTensors).toBe(0)
  })
})
