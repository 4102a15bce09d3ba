/**
 * Tensors that stand in for those of the checkpoint:  W ← W′. Hugging Face PEFT stores modules_to_save and trained biases
 * so. In a tied model a carried head is the head alone, and a carried embedding the input alone: PEFT trains a copy of the
 * module, which is tied to nothing.
 */
import {type Fault, RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {EMBEDDINGS, parameterShapes} from '../model/parameters.js'
import {type FullValuesSettings} from './full-values-settings.js'
import {type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {INPUT_ALONE} from './sites-of.js'

function parameters({tensors}: FullValuesSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const shapes = parameterShapes({...config, tied: false})
  const faults: Fault[] = []
  const specs = new Map<string, ParameterSpec>()
  for (const where of tensors) {
    const shape = shapes.get(where)
    if (shape) specs.set(where, {initial: () => refuseFreshValues(where), shape})
    else faults.push({message: 'is not a tensor of this model', where})
  }
  if (faults.length > 0) throw new RecipeError('The adapter carries tensors that this model does not have.', {faults})
  return specs
}

function refuseFreshValues(where: string): never {
  throw new RecipeError('Full values are read from an adapter of PEFT; they cannot be trained from the start.', {
    faults: [{message: 'has no first values of its own', where}],
    hint: 'Use another method in the recipe: mambatune recipe schema lists them.',
  })
}

function steps(
  {tensors}: FullValuesSettings,
  {tied}: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  return new Map(
    tensors.map((name): [string, MergeStep] => [
      tied && name === EMBEDDINGS ? INPUT_ALONE : name,
      (weight) => weight.set(values.get(name)?.values ?? []),
    ]),
  )
}

export const fullValues: Method<FullValuesSettings> = {
  merge: {steps},
  name: 'full-values',
  parameters,
  replaces: (_settings, values) => values,
  wrap: (_settings, _attachment, base) => base,
}
