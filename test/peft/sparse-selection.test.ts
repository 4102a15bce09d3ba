import {describe, expect, test} from '@jest/globals'
import {RecipeError} from '../../src/errors.js'
import {presetConfig} from '../../src/model/presets.js'
import {checkSelection, keptCounts, selectDimensions} from '../../src/peft/sparse-selection.js'
import {mamba1Of} from '../support/architectures.js'

const config = {...mamba1Of(presetConfig('tiny')), inner: 6, layers: 1, states: 4}

// prettier-ignore
const DELTA = Float32Array.from([
  0, 0, 0, 1,
  3, 0, 0, -4,
  0, 0, 0, 0,
  -2, 1, 2, 0, // two states of one size
  0, -6, 0, 0.5,
  1, 1, 1, 1,
])

describe('the choice of channels and states', () => {
  test('takes the largest squares of ΔA_log, the first of equal ones, and lists them ascending', () => {
    const shares = {freeze_channels: 0.5, freeze_states: 0.75}
    expect(selectDimensions(DELTA, shares, config)).toEqual({channels: [1, 3, 4], states: [[3], [0], [1]]})
    expect(selectDimensions(DELTA, {...shares, freeze_states: 0.5}, config).states).toEqual([
      [0, 3],
      [0, 2],
      [1, 3],
    ])
  })

  test('keeps as many as the paper, and one at least', () => {
    const paper = {freeze_channels: 0.99, freeze_states: 0.75}
    expect(keptCounts(paper, mamba1Of(presetConfig('mamba-130m')))).toEqual({channels: 15, states: 4})
    expect(keptCounts({...paper, freeze_states: 0.9}, mamba1Of(presetConfig('mamba-130m'))).states).toBe(2)
    expect(keptCounts(paper, config)).toEqual({channels: 1, states: 1})
  })

  test('given by hand is refused where the model has no place for it, all faults at once', () => {
    const check = (): void =>
      checkSelection(
        [
          {channels: [1, 6], states: [[0], [4]]},
          {channels: [2, 1], states: [[0, 1], [3]]},
        ],
        config,
      )
    expect(check).toThrow(RecipeError)
    let faults: readonly {where: string}[] = []
    try {
      check()
    } catch (error) {
      ;({faults} = error as RecipeError)
    }
    expect(faults.map(({where}) => where)).toEqual([
      'selection',
      'selection.0.channels',
      'selection.0.states',
      'selection.1.channels',
      'selection.1.states',
    ])
  })
})
