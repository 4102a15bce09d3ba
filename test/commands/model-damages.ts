/** Models that cannot be used. */
import {rm, truncate, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {rawFile} from '../checkpoint/scratch.js'
import {without, withSurplus, withValue} from '../support/safetensors-parts.js'
import {D, type Damage, entry, EVAL, IN_PROJ, MERGE, type Prepare, recipe, text, weights} from './damage.js'

const file = (directory: string): string => path.join(directory, 'model/model.safetensors')

/** A file of weights with this header and 64 bytes of data; `length` is what it says of the header. */
const raw =
  (header: string, length?: bigint): Prepare =>
  (directory) =>
    writeFile(file(directory), rawFile(header, new Uint8Array(64), length))

export const modelDamages: readonly Damage[] = [
  {
    name: 'a truncated file of weights',
    exit: 4,
    says: ['model.safetensors: the file is truncated', 'copy or download it again'],
    prepare: (directory) => truncate(file(directory), 60_000),
  },
  {
    name: 'a file that ends inside its header',
    exit: 4,
    says: ['model.safetensors'],
    prepare: (directory) => truncate(file(directory), 100),
  },
  {
    name: 'an empty file of weights',
    exit: 4,
    says: ['model.safetensors'],
    prepare: (directory) => truncate(file(directory), 0),
  },
  {
    name: 'a header longer than the limit',
    exit: 4,
    says: ['model.safetensors', '100000000'],
    prepare: raw('{}', 2n ** 60n),
  },
  {
    name: 'a header longer than its file',
    exit: 4,
    says: ['model.safetensors', '5000'],
    prepare: raw('{}', 5000n),
  },
  {
    name: 'a header that is not JSON',
    exit: 4,
    says: ['model.safetensors: header'],
    prepare: raw('{"a": }'),
  },
  {
    name: 'tensors that overlap',
    exit: 4,
    says: [`"${D}"`, 'overlaps'],
    prepare: weights(({header, ...rest}) => {
      const [begin, end] = header[D].data_offsets
      return {...rest, header: {...header, [D]: {...header[D], data_offsets: [begin - 16, end - 16]}}}
    }),
  },
  {
    name: 'offsets past the end of the file',
    exit: 4,
    says: [`"${D}"`],
    prepare: entry(D, {data_offsets: [1e9, 1e9 + 256]}),
  },
  {
    name: 'a shape that does not fit the bytes',
    exit: 4,
    says: [`"${D}"`, 'takes 260 bytes, but data_offsets span 256'],
    prepare: entry(D, {shape: [65]}),
  },
  {
    name: 'an unknown number format',
    exit: 4,
    says: [`"${D}"`, 'dtype "F33" is not known'],
    prepare: entry(D, {dtype: 'F33'}),
  },
  {
    name: 'a shape that does not fit the config',
    exit: 4,
    says: [`${IN_PROJ}: has shape [32, 128], expected [128, 32]`],
    prepare: entry(IN_PROJ, {shape: [32, 128]}),
    faults: 1,
  },
  {
    name: 'a missing tensor',
    exit: 4,
    says: [`${D}: is missing; expected shape [64]`],
    prepare: weights((parts) => without(parts, D)),
    faults: 1,
  },
  {
    name: 'a surplus tensor',
    exit: 4,
    says: ['backbone.layers.7.mixer.D: is not a tensor of this model'],
    prepare: weights((parts) => withSurplus(parts, 'backbone.layers.7.mixer.D', new Float32Array(64))),
    faults: 1,
  },
  {
    name: 'wrong, missing and surplus tensors, all at once',
    exit: 4,
    says: ['is missing', 'is not a tensor of this model', 'expected [128, 32]'],
    prepare: weights((parts) => {
      const most = withSurplus(without(parts, D), 'more', new Float32Array(3))
      return {...most, header: {...most.header, [IN_PROJ]: {...most.header[IN_PROJ], shape: [32, 128]}}}
    }),
    faults: 3,
  },
  {
    name: 'weights that are not a number',
    exit: 4,
    says: [`${IN_PROJ}: value 7 is NaN`, `${D}: value 0 is Infinity`],
    prepare: weights((parts) => withValue(withValue(parts, IN_PROJ, 7, NaN), D, 0, Infinity)),
    faults: 2,
  },
  {
    name: 'weights that are not a number, in evaluation',
    exit: 4,
    says: [`${IN_PROJ}: value 7 is NaN`],
    prepare: weights((parts) => withValue(parts, IN_PROJ, 7, NaN)),
    args: EVAL,
  },
  {
    name: 'weights that are not a number, in a merge',
    exit: 4,
    says: [`${IN_PROJ}: value 7 is NaN`],
    prepare: weights((parts) => withValue(parts, IN_PROJ, 7, NaN)),
    args: [...MERGE, '--any-base'],
  },
  {
    name: 'a config that is not JSON',
    exit: 4,
    says: ['config.json'],
    prepare: text('model/config.json', (config) => config.slice(0, 200)),
  },
  {
    name: 'a model of another kind',
    exit: 4,
    says: ['config.json is a model of type "gpt2"', 'model_type "mamba"'],
    prepare: text('model/config.json', (config) => config.replace('"mamba"', '"gpt2"')),
  },
  {
    name: 'a config with impossible values',
    exit: 4,
    says: ['hidden_size is -32', 'num_hidden_layers is "two"', 'hidden_act is "gelu"'],
    prepare: text('model/config.json', (config) =>
      config
        .replace('"hidden_size": 32', '"hidden_size": -32')
        .replace('"num_hidden_layers": 2', '"num_hidden_layers": "two"')
        .replace('"silu"', '"gelu"'),
    ),
    faults: 3,
  },
  {
    name: 'a model directory that is not there',
    exit: 4,
    says: ['No model at elsewhere: there is no such directory'],
    prepare: recipe('base: model', 'base: elsewhere'),
  },
  {
    name: 'a model directory without weights',
    exit: 4,
    says: ['there are no weights'],
    prepare: (directory) => rm(file(directory)),
  },
  {
    name: 'an adapter in the place of the model',
    exit: 4,
    says: ['This is an adapter'],
    prepare: recipe('base: model', 'base: adapter'),
  },
]
