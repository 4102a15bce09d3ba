import {describe, expect, test} from '@jest/globals'
import {RecipeError} from '../../src/errors.js'
import {type MambaConfig} from '../../src/model/config.js'
import {adaptableSites} from '../../src/peft/sites-of.js'
import {resolveTargets} from '../../src/peft/targets.js'

const config: MambaConfig = {
  architecture: 'mamba',
  convBias: true,
  convWidth: 4,
  epsilon: 1e-5,
  hidden: 32,
  inner: 64,
  layers: 12,
  mixerEpsilon: null,
  projectionBias: false,
  states: 8,
  tied: true,
  timeStepRank: 4,
  vocabulary: 96,
}

const everyLayer = (...sites: string[]): string[] => layers([...Array(config.layers).keys()], ...sites)
const layers = (which: readonly number[], ...sites: string[]): string[] =>
  which.flatMap((layer) => sites.map((site) => `layers.${layer}.mixer.${site}`))

describe('adaptable sites', () => {
  test('are the projections, their slices and the convolution of every layer, and the two tables', () => {
    const names = adaptableSites(config).map(({name}) => name)
    const slices = ['in_proj', 'in_proj.x', 'in_proj.z', 'x_proj', 'x_proj.dt', 'x_proj.B', 'x_proj.C']
    const tables = ['embeddings', 'embeddings.input', 'lm_head']
    expect(names).toEqual([...everyLayer(...slices, 'dt_proj', 'out_proj', 'conv1d'), ...tables])
  })

  test.each([
    ['in_proj', 0, 128, 32],
    ['in_proj.x', 0, 64, 32],
    ['in_proj.z', 64, 128, 32],
    ['x_proj', 0, 20, 64],
    ['x_proj.dt', 0, 4, 64],
    ['x_proj.B', 4, 12, 64],
    ['x_proj.C', 12, 20, 64],
    ['dt_proj', 0, 64, 4],
    ['out_proj', 0, 32, 64],
    ['conv1d', 0, 64, 4],
  ])('%s has rows %d to %d of the weight and %d columns', (name, from, to, inputs) => {
    const site = adaptableSites(config).find((candidate) => candidate.name === `layers.3.mixer.${name}`)
    expect(site).toMatchObject({from, inputs, module: `layers.3.mixer.${name.split('.')[0]}`, to})
  })
})

describe('targets', () => {
  test.each<[string, string[]]>([
    ['in_proj', everyLayer('in_proj')],
    ['x_proj', everyLayer('x_proj')],
    ['conv1d', everyLayer('conv1d')],
    ['x_proj.B', everyLayer('x_proj.B')],
    ['mixer.out_proj', everyLayer('out_proj')],
    ['mixer.in_proj.z', everyLayer('in_proj.z')],
    ['B', everyLayer('x_proj.B')],
    ['*_proj', everyLayer('in_proj', 'x_proj', 'dt_proj', 'out_proj')],
    ['x_proj.*', everyLayer('x_proj.dt', 'x_proj.B', 'x_proj.C')],
    ['x_proj.{dt,C}', everyLayer('x_proj.dt', 'x_proj.C')],
    ['{in,out}_proj', everyLayer('in_proj', 'out_proj')],
    ['layers.3.mixer.dt_proj', layers([3], 'dt_proj')],
    ['backbone.layers.3.mixer.dt_proj', layers([3], 'dt_proj')],
    ['layers.1.mixer.in_proj', layers([1], 'in_proj')],
    ['layers.{0,1}.mixer.in_proj', layers([0, 1], 'in_proj')],
    ['layers.1?.mixer.x_proj.dt', layers([10, 11], 'x_proj.dt')],
    ['layers.[89].mixer.conv1d', layers([8, 9], 'conv1d')],
    ['layers.*.mixer.out_proj', everyLayer('out_proj')],
    ['layers.{0,1}.mixer.*_proj', layers([0, 1], 'in_proj', 'x_proj', 'dt_proj', 'out_proj')],
    ['layers.5.mixer.*', layers([5], 'in_proj', 'x_proj', 'dt_proj', 'out_proj', 'conv1d')],
    [
      'layers.5.**',
      layers(
        [5],
        'in_proj',
        'in_proj.x',
        'in_proj.z',
        'x_proj',
        'x_proj.dt',
        'x_proj.B',
        'x_proj.C',
        'dt_proj',
        'out_proj',
        'conv1d',
      ),
    ],
    ['**.conv1d', everyLayer('conv1d')],
  ])('%s', (pattern, expected) => {
    expect(resolveTargets([pattern], config).map(({name}) => name)).toEqual(expected)
  })

  test('that overlap select a site once, in the order of the model', () => {
    const names = resolveTargets(['out_proj', 'in_proj', 'layers.*.mixer.in_proj'], config).map(({name}) => name)
    expect(names).toEqual(everyLayer('in_proj', 'out_proj'))
  })
})

describe('targets that match nothing', () => {
  function refusal(...patterns: string[]): RecipeError {
    try {
      resolveTargets(patterns, config)
    } catch (error) {
      if (error instanceof RecipeError) return error
      throw error
    }
    throw new Error('expected a refusal')
  }

  test.each([
    ['in_prj', 'Did you mean in_proj?'],
    ['x_proj.b', 'Did you mean x_proj.B?'],
    ['out_projj', 'Did you mean out_proj?'],
    ['conv_1d', 'Did you mean conv1d?'],
    ['layers.3.mixer.dtproj', 'Did you mean layers.3.mixer.dt_proj?'],
    ['layer.3.mixer.dt_proj', 'Did you mean layers.3.mixer.dt_proj?'],
    ['q_proj', 'Did you mean'],
    [
      'attention',
      'Targets of this model: in_proj, in_proj.x, in_proj.z, x_proj, x_proj.dt, x_proj.B, x_proj.C, dt_proj, out_proj, conv1d, embeddings, embeddings.input, lm_head.',
    ],
  ])('%s: %s', (pattern, advice) => {
    const {faults, hint} = refusal(pattern)
    expect(faults).toHaveLength(1)
    expect(faults[0].where).toBe(`targets.0 '${pattern}'`)
    expect(faults[0].message).toContain('matches nothing.')
    expect(faults[0].message).toContain(advice)
    expect(hint).toContain('mambatune inspect')
  })

  test('a layer that the model does not have is no match', () => {
    expect(refusal('layers.12.mixer.in_proj').faults[0].message).toContain('Did you mean layers.')
  })

  test('a star stays within one part of a name', () => {
    expect(refusal('layers.*.in_proj').faults).toHaveLength(1)
    expect(refusal('layers.0.*').faults).toHaveLength(1)
  })

  test('the end of a word is no match for the word', () => {
    expect(refusal('proj').faults).toHaveLength(1)
    expect(refusal('_proj').faults).toHaveLength(1)
  })

  test('are all reported at once, and only they', () => {
    const {faults, message} = refusal('in_proj', 'nope', 'x_proj', 'nada')
    expect(faults.map(({where}) => where)).toEqual(["targets.1 'nope'", "targets.3 'nada'"])
    expect(message).toContain('Some targets')
  })
})
