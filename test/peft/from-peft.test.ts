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

  test('with magnitudes becomes DoRA, and without use_dora is refused', () => {
    const magnitude = 'base_model.model.backbone.layers.0.mixer.in_proj.lora_magnitude_vector'
    const tensors = new Map([...tensorsOf([0], ['in_proj']), [magnitude, {shape: [2], values: new Float32Array(2)}]])
    const {settings, values} = read({use_dora: true}, tensors)
    expect(settings[0].dora).toBe(true)
    expect([...values.keys()]).toContain('adapters.0.layers.0.mixer.in_proj.lora_magnitude_vector')
    expect(() => read({}, tensors)).toThrow(
      expect.objectContaining({faults: [expect.objectContaining({where: magnitude})]}),
    )
  })

  // How many layers the model has is not to be seen here, so names of projections would mean all of them.
  test.each([
    ['layers_to_transform', {layers_to_transform: [0]}],
    ['exclude_modules', {exclude_modules: ['layers.1.mixer.in_proj']}],
    ['full names', {target_modules: ['backbone.layers.0.mixer.in_proj']}],
    ['a pattern', {target_modules: String.raw`.*layers\.0\..*in_proj`}],
  ])('in some layers only, chosen by %s, targets those layers', (_, config) => {
    expect(read(config, tensorsOf([0], ['in_proj'])).settings[0].targets).toEqual(['layers.0.mixer.in_proj'])
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['another method', {peft_type: 'IA3'}, 'peft_type is "IA3"'],
    ['trained biases', {bias: 'all'}, 'bias is "all"'],
    ['saved modules', {modules_to_save: ['lm_head']}, 'modules_to_save is ["lm_head"]'],
    ['ranks by module', {rank_pattern: {in_proj: 4}}, 'rank_pattern is {"in_proj":4}'],
    ['alphas by module', {alpha_pattern: {in_proj: 4}}, 'alpha_pattern is {"in_proj":4}'],
    ['transposed weights', {fan_in_fan_out: true}, 'fan_in_fan_out is true'],
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

  test('with tensors that are no LoRA of a projection is refused, naming each', () => {
    const tensor = {shape: [2], values: new Float32Array(2)}
    const strange = [
      'base_model.model.lm_head.weight',
      'base_model.model.backbone.layers.0.mixer.in_proj.lora_embedding_A',
    ]
    expect(() => read({}, new Map(strange.map((name) => [name, tensor])))).toThrow(
      expect.objectContaining({
        faults: expect.arrayContaining(strange.map((where) => expect.objectContaining({where}))),
      }),
    )
  })
})
