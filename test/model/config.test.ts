import {describe, expect, test} from '@jest/globals'
import {FileError} from '../../src/errors.js'
import {readMambaConfig} from '../../src/model/config.js'

const MAMBA2 = {
  expand: 2,
  head_dim: 16,
  hidden_size: 32,
  model_type: 'mamba2',
  n_groups: 2,
  num_heads: 4,
  num_hidden_layers: 2,
  vocab_size: 96,
}

function faultsOf(raw: Record<string, unknown>): readonly string[] {
  try {
    readMambaConfig(raw, 'config.json')
    return []
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    return error.faults.map(({message}) => message)
  }
}

describe('the config of a Mamba-2 model', () => {
  test('has the defaults of transformers', () => {
    expect(readMambaConfig(MAMBA2, 'config.json')).toEqual({
      architecture: 'mamba2',
      convBias: true,
      convWidth: 4,
      epsilon: 1e-5,
      groups: 2,
      headSize: 16,
      heads: 4,
      hidden: 32,
      inner: 64,
      layers: 2,
      projectionBias: false,
      states: 128,
      tied: false,
      timeStepLimit: [0, Infinity],
      vocabulary: 96,
    })
  })

  test.each([
    [
      [0, Infinity],
      [0, Infinity],
    ],
    [
      [0, {__float__: 'Infinity'}],
      [0, Infinity],
    ],
    [
      [0.01, 0.5],
      [0.01, 0.5],
    ],
    [null, [0, Infinity]],
  ])('reads the time step limit %j', (limit, expected) => {
    expect(readMambaConfig({...MAMBA2, time_step_limit: limit}, 'config.json')).toMatchObject({timeStepLimit: expected})
  })

  test.each([[0.5], [0.5, 0.1], [-1, 2], [NaN, 2], [0, {__float__: 'NaN'}], ['0', 1], [0, 1, 2]])(
    'refuses the time step limit %j, %j',
    (...limit) => {
      expect(faultsOf({...MAMBA2, time_step_limit: limit})).toEqual([
        expect.stringContaining('expected two numbers from 0 on, the lower one first'),
      ])
    },
  )

  test('says what heads, their size, groups and width must agree on', () => {
    expect(faultsOf({...MAMBA2, num_heads: 6})).toEqual(['num_heads is 6, expected 4: expand × hidden_size / head_dim'])
    expect(faultsOf({...MAMBA2, n_groups: 3})).toEqual(['n_groups is 3, expected a divisor of num_heads, which is 4'])
  })

  test('refuses what would change the mathematics, all at once', () => {
    expect(faultsOf({...MAMBA2, hidden_act: 'gelu', n_groups: 0, rms_norm: false, use_bias: 'no'})).toEqual([
      'hidden_act is "gelu", expected "silu"',
      'rms_norm is false, expected true',
      'n_groups is 0, expected a whole number above 0',
      'use_bias is "no", expected true or false',
    ])
  })
})

test.each(['llama', 'toString', null, 3])('a model of type %j is refused, with those that are read', (type) => {
  expect(() => readMambaConfig({model_type: type}, 'config.json')).toThrow(
    expect.objectContaining({hint: expect.stringContaining('"mamba", "mamba2" or "falcon_mamba"')}),
  )
})
