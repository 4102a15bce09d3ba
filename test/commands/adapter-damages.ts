/** Adapters that cannot be used, alone or with this model. */
import {cp, truncate} from 'node:fs/promises'
import path from 'node:path'
import {repository} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {without, withValue} from '../support/safetensors-parts.js'
import {ADAPTED, both, D, type Damage, EVAL, MERGE, recipe, tensors, text, weights} from './damage.js'

/** One number of the model is another. */
const otherWeights = weights((parts) => withValue(parts, D, 3, 0.123))

const startFromAdapter = text('recipe.yaml', (whole) => `${whole}init_adapter: adapter\n`)

const FILE = 'adapter/adapter.safetensors'

export const adapterDamages: readonly Damage[] = [
  {
    name: 'an adapter of a model with other weights',
    exit: 8,
    says: ['The adapter was trained on another model.', 'sha256:', '--any-base'],
    prepare: otherWeights,
    args: ADAPTED,
  },
  {
    name: 'a merge into a model with other weights',
    exit: 8,
    says: ['The adapter was trained on another model.'],
    prepare: otherWeights,
    args: MERGE,
  },
  {
    name: 'a start from an adapter of a model with other weights',
    exit: 8,
    says: ['The adapter was trained on another model.'],
    prepare: both(otherWeights, startFromAdapter),
  },
  {
    name: 'a start from an adapter of another rank',
    exit: 8,
    says: ['init_adapter adapter does not fit', 'adapters.0: is lora of rank 3'],
    prepare: both(recipe('rank: 2', 'rank: 3'), startFromAdapter),
  },
  {
    name: 'an adapter of a model with other shapes',
    exit: 8,
    says: ['The adapter does not fit this model.', 'x_proj.lora_B: has shape [20, 4], expected [13, 4]'],
    prepare: (directory) =>
      cp(path.join(repository, goldenPath('mamba1', 'lora')), path.join(directory, 'peft'), {recursive: true}),
    args: ['eval', path.join(repository, goldenPath('mamba1-untied-bias')), ...EVAL.slice(2), '--adapter', 'peft'],
  },
  {
    name: 'a truncated adapter',
    exit: 4,
    says: ['Cannot read the adapter in adapter', 'adapter.safetensors: the file is truncated'],
    prepare: (directory) => truncate(path.join(directory, FILE), 1000),
    args: ADAPTED,
  },
  {
    name: 'an adapter with a value that is not a number',
    exit: 4,
    says: ['adapter.safetensors: "adapters.0.layers.0.mixer.in_proj.lora_B"', 'not finite, the first at index 5: NaN'],
    prepare: tensors(FILE, (parts) => withValue(parts, 'adapters.0.layers.0.mixer.in_proj.lora_B', 5, NaN)),
    args: MERGE,
  },
  {
    name: 'an adapter that lacks a tensor',
    exit: 8,
    says: ['adapters.0.layers.1.mixer.in_proj.lora_A: is missing; expected shape [2, 32]'],
    prepare: tensors(FILE, (parts) => without(parts, 'adapters.0.layers.1.mixer.in_proj.lora_A')),
    args: ADAPTED,
  },
  {
    name: 'an adapter of a method that is not known',
    exit: 4,
    says: ['adapter.json adapters.0: method "lorax" is not known'],
    prepare: text('adapter/adapter.json', (manifest) => manifest.replace('"lora"', '"lorax"')),
    args: ADAPTED,
  },
  {
    name: 'an adapter directory that is not there',
    exit: 4,
    says: ['nowhere does not exist'],
    args: [...EVAL, '--adapter', 'nowhere'],
  },
  {
    name: 'a model in the place of the adapter',
    exit: 4,
    says: ['model holds no adapter'],
    args: [...EVAL, '--adapter', 'model'],
  },
]
