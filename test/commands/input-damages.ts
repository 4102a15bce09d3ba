/** Recipes, data and command lines that cannot be used. */
import {mkdir, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {both, type Damage, EVAL, MERGE, type Prepare, recipe, text, TRAIN} from './damage.js'

const rows = (content: string): Prepare => text('rows.jsonl', () => content)

/** Something that is not to be lost is in the output directory. */
async function fillOutput(directory: string): Promise<void> {
  await mkdir(path.join(directory, 'out'))
  await writeFile(path.join(directory, 'out', 'precious.txt'), 'x')
}

export const recipeDamages: readonly Damage[] = [
  {
    name: 'an unknown key',
    exit: 3,
    says: ['recipe.yaml:7:9: train.batchsize: unknown key. Did you mean train.batch_size?'],
    prepare: recipe('batch_size', 'batchsize'),
    faults: 1,
  },
  {
    name: 'a value of the wrong type',
    exit: 3,
    says: ['recipe.yaml:7:21: train.batch_size', '"many"'],
    prepare: recipe('batch_size: 2', 'batch_size: many'),
    faults: 1,
  },
  {
    name: 'several faults at once',
    exit: 3,
    says: ['version', 'modle', 'adapters.0.rank', 'train.max_steps'],
    prepare: text('recipe.yaml', (recipe) =>
      recipe
        .replace('version: 1', 'version: 2')
        .replace('model: {', 'modle: {')
        .replace('rank: 2', 'rank: 0')
        .replace('max_steps: 1', 'max_steps: 1.5'),
    ),
  },
  {
    name: 'text that is not YAML',
    exit: 3,
    says: ['recipe.yaml:5:'],
    prepare: recipe('[in_proj]', '[in_proj'),
  },
  {
    name: 'an adapter that would learn nothing',
    exit: 3,
    says: ['adapters.0', 'nothing would be learned'],
    prepare: recipe('lora, targets: [in_proj], rank: 2', 'initial-state, conv: false, scan: false'),
  },
  {
    name: 'targets that match nothing',
    exit: 3,
    says: ["targets.0 'in_prj': matches nothing. Did you mean in_proj?", "targets.1 'layers.9.mixer.in_proj'"],
    prepare: recipe('[in_proj]', '[in_prj, layers.9.mixer.in_proj]'),
    faults: 2,
  },
  {
    name: 'a recipe that is not there',
    exit: 4,
    says: ['other.yaml'],
    args: ['train', 'other.yaml'],
  },
]

export const dataDamages: readonly Damage[] = [
  {name: 'an empty data file', exit: 3, says: ['rows.jsonl', 'is empty'], prepare: rows('')},
  {
    name: 'lines that are not JSON',
    exit: 3,
    says: ['rows.jsonl:2', 'rows.jsonl:4'],
    prepare: rows('{"input_ids": [5, 6]}\n{"input_ids": [5, 6}\n{"input_ids": [5, 6]}\nhello\n'),
    faults: 2,
  },
  {
    name: 'a row with no supervised token',
    exit: 3,
    says: ['rows.jsonl:2: has no supervised token'],
    prepare: rows('{"input_ids": [5, 6]}\n{"input_ids": [5, 6, 7], "labels": [5, -100, -100]}\n'),
    faults: 1,
  },
  {
    name: 'token ids beyond the vocabulary',
    exit: 3,
    says: ["rows.jsonl:2: token id 96 is beyond the model's vocabulary of 96"],
    prepare: rows('{"input_ids": [5, 95]}\n{"input_ids": [5, 96]}\n'),
  },
  {
    name: 'a data file that is not there',
    exit: 4,
    says: ['absent.jsonl: no such file'],
    prepare: recipe('rows.jsonl', 'absent.jsonl'),
  },
  {
    name: 'text without a tokenizer',
    exit: 4,
    says: ['tokenizer.json'],
    prepare: both(rows('{"text": "hello"}\n'), recipe('format: tokens', 'format: text')),
  },
  {
    name: 'generation without a tokenizer',
    exit: 4,
    says: ['tokenizer.json'],
    args: ['generate', 'model', '--prompt', 'hello'],
  },
]

export const usageDamages: readonly Damage[] = [
  {
    name: 'an output directory in use',
    exit: 4,
    says: ['The output directory out is in use: it holds precious.txt.', 'rm -r out'],
    prepare: fillOutput,
  },
  {
    name: 'an output directory in use, in a merge',
    exit: 4,
    says: ['Cannot write out: it holds precious.txt'],
    prepare: fillOutput,
    args: MERGE,
  },
  {
    name: 'a file in the place of the output directory',
    exit: 4,
    says: ['The output directory out cannot be used'],
    prepare: (directory) => writeFile(path.join(directory, 'out'), 'x'),
  },
  {
    name: 'a device that is not there',
    exit: 5,
    says: ['No GPU answers', '--device cpu', 'mambatune doctor'],
    args: ['train', 'recipe.yaml', '--device', 'gpu'],
    env: {VK_DRIVER_FILES: 'no-driver.json'},
  },
  {
    name: 'TensorFlow where it is not installed',
    exit: 5,
    says: ['npm install @tensorflow/tfjs-node'],
    args: ['train', 'recipe.yaml', '--device', 'tensorflow'],
  },
  {name: 'an unknown device', exit: 2, says: ['--device'], args: ['train', 'recipe.yaml', '--device', 'tpu']},
  {
    name: 'an unknown flag',
    exit: 2,
    says: ['--batchsize is not a flag of mambatune eval. Did you mean --batch-size?'],
    args: [...EVAL, '--batchsize', '2'],
  },
  {
    name: 'an unknown command',
    exit: 2,
    says: ['trian is not a command', 'Did you mean train?'],
    args: ['trian', 'recipe.yaml'],
  },
  {name: 'a missing argument', exit: 2, says: ['recipe'], args: ['train']},
  {name: 'a missing flag', exit: 2, says: ['Missing required flag base'], args: ['merge', 'adapter', '--out', 'out']},
  {
    name: 'a number out of range',
    exit: 2,
    says: ['--batch-size', '0, expected a whole number from 1'],
    args: [...EVAL, '--batch-size', '0'],
  },
  {
    name: 'an override of a key that is not known',
    exit: 3,
    says: ['train.epoch', 'Did you mean'],
    args: [...TRAIN, '--set', 'train.epoch=2'],
  },
  {name: 'no prompt', exit: 2, says: ['There is no prompt.', '--prompt'], args: ['generate', 'model']},
  {
    name: 'two prompts',
    exit: 2,
    says: ['either --prompt or -'],
    args: ['generate', 'model', '-', '--prompt', 'hello'],
  },
]
