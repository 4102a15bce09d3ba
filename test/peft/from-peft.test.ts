import {describe, expect, test} from '@jest/globals'
import {FileError} from '../../src/errors.js'
import {fromPeft, type ImportedAdapter} from '../../src/peft/from-peft.js'
import {type ParameterValues} from '../../src/peft/method.js'

const CONFIG = {
  peft_type: 'LORA',
  r: 2,
  lora_alpha: 8,
  target_modules: ['x_proj', 'in_proj'],
  base_model_name_or_path: 'base',
}

/** Tensors as PEFT names them, for these projections of these layers. */
function tensorsOf(layers: readonly number[], projections: readonly string[]): Map<string, ParameterValues> {
  const tensor = {shape: [2, 2], values: new Float32Array(4)}
  return new Map(
    layers.flatMap((layer) =>
      projections.flatMap((projection) =>
        ['A', 'B'].map(
          (matrix) =>
            [`base_model.model.backbone.layers.${layer}.mixer.${projection}.lora_${matrix}.weight`, tensor] as const,
        ),
      ),
    ),
  )
}

describe('an adapter of PEFT', () => {
  const read = (config: Record<string, unknown>, tensors = tensorsOf([0, 1], ['in_proj', 'x_proj'])): ImportedAdapter =>
    fromPeft({config: {...CONFIG, ...config}, tensors}, 'adapter')

  test('becomes one LoRA entry, with our names for its tensors', () => {
    const {base, settings, values} = read({lora_dropout: 0.1, use_rslora: true})
    expect(settings).toEqual([
      {method: 'lora', targets: ['in_proj', 'x_proj'], rank: 2, alpha: 8, dropout: 0.1, rslora: true},
    ])
    expect(base).toEqual({fingerprint: null, path: 'base'})
    expect([...values.keys()].slice(0, 2)).toEqual([
      'adapters.0.layers.0.mixer.in_proj.lora_A',
      'adapters.0.layers.0.mixer.in_proj.lora_B',
    ])
  })

  // How many layers the model has is not to be seen here, so names of projections would mean all of them.
  test.each([
    ['layers_to_transform', {layers_to_transform: [0]}],
    ['exclude_modules', {exclude_modules: ['layers.1.mixer.in_proj']}],
    ['full names', {target_modules: ['backbone.layers.0.mixer.in_proj']}],
    ['a pattern', {target_modules: String.raw`.*layers\.0\..*in_proj`}],
  ])('in some layers only, chosen by %s, targets those layers', (_, config) => {
    expect(read(config, tensorsOf([0], ['in_proj'])).settings).toMatchObject([{targets: ['layers.0.mixer.in_proj']}])
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['DoRA', {use_dora: true}, 'use_dora is true'],
    ['another method', {peft_type: 'IA3'}, 'peft_type is "IA3"'],
    ['an unknown kind of biases', {bias: 'some'}, 'bias is "some"'],
    ['saved modules that are no list', {modules_to_save: {lm_head: true}}, 'modules_to_save is {"lm_head":true}'],
    ['ranks that are no object', {rank_pattern: [4]}, 'rank_pattern is [4]'],
    ['a rank that is no number', {rank_pattern: {in_proj: 'four'}}, 'rank_pattern "in_proj" is "four"'],
    ['an alpha below 0', {alpha_pattern: {in_proj: -4}}, 'alpha_pattern "in_proj" is -4'],
    ['a pattern of Python alone', {rank_pattern: {'in_proj\\Z': 4}}, 'no regular expression that this version reads'],
    ['a pattern without end', {alpha_pattern: {['a'.repeat(1001)]: 4}}, 'has a key of 1001 characters'],
    ['a pattern that takes years', {rank_pattern: {'([\\w.]+[\\w.]*)+!': 4}}, 'rank_pattern takes longer than 1000 ms'],
    ['no rank', {r: 0}, 'r is 0'],
    ['no alpha', {lora_alpha: null}, 'lora_alpha is null'],
  ])('with %s is refused', (_, config, message) => {
    try {
      read(config)
    } catch (error) {
      expect(error).toBeInstanceOf(FileError)
      expect((error as FileError).faults.map((fault) => fault.message)).toEqual([expect.stringContaining(message)])
      return
    }
    throw new Error('expected a refusal')
  })

  test('with ranks and alphas by module has an entry for each pair, and the first pattern counts', () => {
    const patterns = {
      alpha_pattern: {x_proj: 3},
      rank_pattern: {'layers.1.mixer.in_proj': 4, in_proj: 2},
    }
    const wide = {shape: [4, 4], values: new Float32Array(16)}
    const tensors = tensorsOf([0, 1, 11], ['in_proj', 'x_proj'])
    for (const matrix of ['A', 'B']) {
      tensors.set(`base_model.model.backbone.layers.1.mixer.in_proj.lora_${matrix}.weight`, wide)
    }
    const {settings, values} = read(patterns, tensors)
    expect(settings).toMatchObject([
      {alpha: 8, rank: 2, targets: ['layers.0.mixer.in_proj', 'layers.11.mixer.in_proj']},
      {alpha: 3, rank: 2, targets: ['x_proj']},
      {alpha: 8, rank: 4, targets: ['layers.1.mixer.in_proj']},
    ])
    expect(values.get('adapters.2.layers.1.mixer.in_proj.lora_A')).toBe(wide)
    expect(values.size).toBe(12)
  })

  test.each([
    ['of another rank', {r: 3}, 'has rank 2 and 2 in its matrices, and 3 in the settings'],
    ['of a pattern of another rank', {rank_pattern: {in_proj: 4}}, 'and 4 in the settings'],
  ])('with tensors %s than the settings say is refused', (_, config, message) => {
    expect(() => read(config)).toThrow(
      expect.objectContaining({
        faults: expect.arrayContaining([expect.objectContaining({message: expect.stringContaining(message)})]),
      }),
    )
  })

  test('with trained biases and saved modules carries them whole, before its LoRA', () => {
    const tensor = {shape: [2], values: new Float32Array(2)}
    const carried = ['layers.0.mixer.conv1d.weight', 'layers.0.mixer.conv1d.bias', 'layers.1.mixer.dt_proj.bias']
    const tensors = tensorsOf([0, 1], ['x_proj'])
    for (const name of carried) tensors.set(`base_model.model.backbone.${name}`, tensor)
    tensors.set('base_model.model.backbone.layers.0.mixer.x_proj.base_layer.bias', tensor)
    tensors.set('base_model.model.lm_head.weight', tensor)
    const {copies, settings, values} = read({bias: 'all', modules_to_save: ['conv1d']}, tensors)
    const full = [...carried, 'layers.0.mixer.x_proj.bias'].map((name) => `backbone.${name}`)
    expect(settings).toMatchObject([{method: 'full-values', tensors: full}, {method: 'lora'}])
    expect([...values.keys()].slice(0, 5)).toEqual([
      ...full.map((name) => `adapters.0.${name}`),
      'adapters.1.layers.0.mixer.x_proj.lora_A',
    ])
    expect([...copies.keys()]).toEqual(['lm_head.weight'])
  })

  test('on the embedding has its two matrices the other way round, transposed, and no dropout', () => {
    const tensors = new Map([
      [
        'base_model.model.backbone.embeddings.lora_embedding_A',
        {shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6)},
      ],
      ['base_model.model.backbone.embeddings.lora_embedding_B', {shape: [1, 2], values: Float32Array.of(7, 8)}],
    ])
    const {settings, values} = read({lora_dropout: 0.5}, tensors)
    expect(settings).toMatchObject([{dropout: 0, targets: ['embeddings.input']}])
    expect(Object.fromEntries(values)).toEqual({
      'adapters.0.embeddings.input.lora_A': {shape: [2, 1], values: Float32Array.of(7, 8)},
      'adapters.0.embeddings.input.lora_B': {shape: [3, 2], values: Float32Array.of(1, 4, 2, 5, 3, 6)},
    })
  })

  test('with tensors that are no LoRA of a projection is refused, naming each', () => {
    const tensor = {shape: [2], values: new Float32Array(2)}
    const strange = [
      'base_model.model.backbone.norm_f.weight',
      'base_model.model.backbone.layers.0.mixer.conv1d.lora_A.weight',
      'model.backbone.layers.0.mixer.in_proj.lora_A.weight',
      'base_model.model.backbone.layers.0.mixer.in_proj.lora_magnitude_vector',
    ]
    expect(() => read({}, new Map(strange.map((name) => [name, tensor])))).toThrow(
      expect.objectContaining({
        faults: expect.arrayContaining(strange.map((where) => expect.objectContaining({where}))),
      }),
    )
  })
})
