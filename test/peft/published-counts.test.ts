import {describe, expect, test} from '@jest/globals'
import {type PresetName, presetConfig} from '../../src/model/presets.js'
import {parameterSpecs} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {moreStates, STATE, stateOffset} from '../support/random-adapter.js'

/** Trained numbers, as `mambatune plan` counts them. */
function count(preset: PresetName, settings: AdapterSettings): number {
  const specs = [...parameterSpecs([settings], presetConfig(preset)).values()]
  return specs.reduce((sum, {shape}) => sum + shape.reduce((product, length) => product * length, 1), 0)
}

describe('numbers that methods on the state train in published models', () => {
  test.each<[string, AdapterSettings, number, number]>([
    ['additional-scan, k = 6', moreStates({states: 6}), 663_552, 3_538_944],
    ['state-offset h', stateOffset({form: 'h'}), 589_824, 3_145_728],
    ['state-offset y', stateOffset({form: 'y'}), 36_864, 196_608],
    ['initial-state of the scan', {...STATE, conv: false}, 589_824, 3_145_728],
    ['initial-state', STATE, 24 * 1536 * (16 + 3), 48 * 4096 * (16 + 3)],
  ])('%s of mamba-130m and mamba-1.4b', (_name, settings, small, large) => {
    expect([count('mamba-130m', settings), count('mamba-1.4b', settings)]).toEqual([small, large])
  })

  test.each<[string, AdapterSettings, number, number]>([
    ['additional-scan, k = 8', moreStates({states: 8}), 296_832, 1_576_704],
    ['state-offset h', stateOffset({form: 'h'}), 4_718_592, 25_165_824],
    ['state-offset y', stateOffset({form: 'y'}), 36_864, 196_608],
    ['initial-state of the scan', {...STATE, conv: false}, 4_718_592, 25_165_824],
  ])('%s of mamba2-130m and mamba2-1.3b', (_name, settings, small, large) => {
    expect([count('mamba2-130m', settings), count('mamba2-1.3b', settings)]).toEqual([small, large])
  })

  test('additional states are refused where they are not defined, or too many, with the reason', () => {
    const faultOf = (preset: PresetName, states: number): unknown => {
      try {
        return count(preset, moreStates({states}))
      } catch (error) {
        return error
      }
    }
    expect(faultOf('falcon-mamba-7b', 6)).toMatchObject({
      code: 'E_RECIPE',
      faults: [{message: expect.stringContaining('normalises B and C'), where: 'adapters.0.method'}],
    })
    expect(faultOf('mamba-130m', 241)).toMatchObject({
      code: 'E_RECIPE',
      faults: [{message: expect.stringContaining('257 states'), where: 'adapters.0.states'}],
      hint: 'Write 240 or less.',
    })
    expect(faultOf('mamba-130m', 240)).toBe(24 * 3 * 240 * 1536)
    expect(faultOf('mamba2-130m', 256)).toBe(24 * 2 * 256 * (768 + 5))
  })
})
