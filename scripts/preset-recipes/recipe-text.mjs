// A preset as a recipe file: complete, with the reason for every number, its command, and what is known of its memory and speed.
import {figureParagraphs, GIB, inGib, smallestGpu, whole} from './figures.mjs'
import {adapterLines} from './methods.mjs'
import {comment, entry, section} from './yaml-lines.mjs'

/** On cpu weights are f32, in two layouts, in a heap of 4 GiB. */
const CPU_BYTES = {each: 8, heap: 4 * GIB}

export const recipeName = (model, method) => `${model.preset}-${method.name}`

export function recipeText(model, method, figures) {
  const name = recipeName(model, method)
  const sizes = {...figures.estimated[name], peak: (figures.measured.get(name)?.peak_gib ?? 0) * GIB}
  const parts = [
    [
      entry('version: 1', 'version of the recipe format'),
      entry('seed: 42', 'any number; the same one repeats the run'),
      entry(`output_dir: runs/${name}`, 'must be new: nothing is written over'),
    ],
    modelLines(model, sizes),
    ['adapters:', ...adapterLines(method, model)],
    [entry('init_adapter: null', 'start fresh, not from a saved adapter')],
    dataLines(model),
    trainLines(model, method, sizes),
    [
      'eval:',
      entry('  every: 0.25', 'of an epoch: four times'),
      entry('  at_start: true', 'the loss of the untouched model, to compare with'),
    ],
  ]
  return `${[head(name, model, method, figures), ...parts.map(section)].map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function head(name, model, method, figures) {
  const {base} = figures.estimated[name]
  const needsGpu = base * CPU_BYTES.each > CPU_BYTES.heap
  return [
    ...comment(method.title(model)),
    '#',
    `#   mambatune train ${name}`,
    '#',
    ...[method.about(model), ...figureParagraphs(name, figures)].flatMap(comment),
    ...(needsGpu ? comment('Needs a GPU: on cpu the weights are f32, in two layouts, and share a heap of 4 GiB.') : []),
    ...comment(`Your own data: mambatune train ${name} --set data.train=mine.jsonl --set data.validation=null`),
  ]
}

function modelLines({base, layers, width}, {base: parameters}) {
  return [
    'model:',
    entry(`  base: ${base}`, `${layers} layers of width ${whole(width)}, from the Hugging Face hub`),
    entry('  dtype: auto', `f16 weights, ${inGib(2 * parameters)} GiB, where there is a GPU that has it`),
  ]
}

function dataLines({length}) {
  return [
    'data:',
    entry(
      '  train: data/kjv.train.txt',
      'a stand-in that ships here and fills every row: the King James Bible, 0.8 MB',
    ),
    entry('  validation: data/kjv.validation.txt', 'not trained on'),
    entry('  format: auto', 'plain text here; of your own rows it is found out'),
    entry('  loss_on: auto', 'every token of a text; of prompts with completions, the completions'),
    entry(`  max_length: ${length}`, 'tokens; what was measured. Longer rows take as much more memory'),
    entry('  append_eos: true', 'teaches the model where a row ends'),
    '  shuffle: true',
    '  packing: false',
  ]
}

function trainLines(model, method, {block, none, peak}) {
  const {batch, length} = model
  const kept = smallestGpu(Math.max(none, peak) / GIB)
  const [rate, rateWhy] = method.rate(model)
  return [
    'train:',
    entry('  epochs: 1', 'every row once'),
    '  max_steps: null',
    entry(`  batch_size: ${batch}`, `rows: ${whole(batch * length)} tokens a step, what memory and speed are told of`),
    entry('  gradient_accumulation: 1', 'raise it and lower batch_size where memory is short: it takes none'),
    entry(
      '  checkpointing: auto',
      `kept where the GPU has ${kept} GiB; computed again on smaller ones, from ${smallestGpu(block / GIB)} GiB on`,
    ),
    '  optimizer:',
    '    name: adamw',
    entry(`    learning_rate: ${rate}`, rateWhy),
    entry('    betas: [0.9, 0.999]', 'the usual ones'),
    entry('    epsilon: 1.0e-8', 'the usual one'),
    entry('    weight_decay: 0.0', method.decay),
    '  schedule:',
    '    name: cosine',
    entry('    warmup: 0.03', "of all steps, until AdamW's averages mean something"),
    entry('    min_ratio: 0.0', 'ends at 0, so that the last steps settle'),
    entry('  clip_norm: 1.0', 'longest gradient; Δ sits in an exponent, where one large step does harm'),
  ]
}
