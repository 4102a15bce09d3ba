/** What `mambatune inspect` prints for people. The same facts, and more, are in its JSON. */
import {type AdapterInspection, type AdapterMethod} from '../report/inspect-adapter.js'
import {type Inspection} from '../report/inspect.js'
import {type ModelInspection, type ModelSite} from '../report/inspect-model.js'
import {type RunInspection} from '../report/inspect-run.js'
import {formatBytes, formatCount, formatDuration} from './format.js'
import {formatTable} from './table.js'

export function inspectionText(inspection: Inspection): string {
  switch (inspection.kind) {
    case 'adapter':
      return adapterText(inspection)
    case 'model':
      return modelText(inspection)
    case 'run':
      return runText(inspection)
  }
}

function modelText(model: ModelInspection): string {
  const {layers, ...letters} = model.sizes
  const sizes = Object.entries(letters).map(([letter, size]: [string, number]) => `${letter} ${formatCount(size)}`)
  const dtypes = model.dtypes.map(
    ({dtype, parameters, tensors}) => `${dtype} ${formatCount(parameters)} in ${formatCount(tensors)} tensors`,
  )
  const facts = formatTable([
    ['model', model.path],
    ['architecture', model.architecture],
    ['sizes', [...sizes, `${layers} layers`].join(' · ')],
    ['parameters', `${formatCount(model.parameters)}, head ${model.tied_head ? 'tied to the embedding' : 'untied'}`],
    ['dtypes', dtypes.join(' · ')],
    ['weights', weightsText(model)],
    ['tokenizer', model.tokenizer ? 'tokenizer.json' : 'none: text cannot be used, only rows of token ids'],
    ['fingerprint', model.fingerprint],
  ])
  const sites = formatTable(model.sites.map(siteRow), {
    align: ['left', 'right', 'right', 'right'],
    header: ['SITE', 'SHAPE', 'PER LAYER', `IN ${layers} LAYERS`, 'SLICES'],
  })
  return `${facts}\n\n${sites}`
}

function weightsText({bytes, weight_files: files}: ModelInspection): string {
  const first = files.at(0)?.file ?? ''
  return `${formatBytes(bytes)} in ${files.length > 1 ? `${files.length} files, ${first} …` : first}`
}

function siteRow({layers, parameters_per_layer: parameters, shape, site, slices}: ModelSite): string[] {
  const parts = slices.map(({from, site: name, to}) => `${name} [${from}, ${to})`)
  return [site, shape.join(' × '), formatCount(parameters), formatCount(layers * parameters), parts.join('  ')]
}

function adapterText(adapter: AdapterInspection): string {
  const {base, format, merge, methods, peft, tensor_file: file, tensors} = adapter
  const facts = formatTable([
    ['adapter', `${adapter.path} (${format === 'peft' ? 'Hugging Face PEFT' : 'mambatune'})`],
    ['trainable', trainableText(adapter)],
    ['base', base.path],
    ...(base.fingerprint === null ? [] : [['', base.fingerprint]]),
    ...(base.mixer_rms_eps === undefined ? [] : [['norm', `Δ, B and C of the base get one, ε ${base.mixer_rms_eps}`]]),
    ['tensors', `${formatCount(tensors)} in ${file.file}, ${formatBytes(file.bytes)}`],
    ['', `sha256:${file.sha256}`],
    ['merge', merge.exact ? 'exact' : `exact but for ${merge.left_out.map(({part}) => part).join(', ')}`],
    ...merge.left_out.map(({instead, reason}) => ['', `${reason}. ${instead}`]),
    ['PEFT', peft.complete ? 'can hold all of it' : 'cannot hold'],
    ...peft.left_out.map(({part, reason}) => ['', `${part}. ${reason}.`]),
  ])
  const table = formatTable(methods.map(methodRow), {
    align: ['left', 'right', 'right'],
    header: ['METHOD', 'TENSORS', 'TRAINABLE', 'SETTINGS'],
  })
  return `${facts}\n\n${table}`
}

function trainableText({base, trainable_parameters: trainable, trainable_percent: percent}: AdapterInspection): string {
  if (percent === null) return `${formatCount(trainable)}; no share of the model, because ${base.problem}`
  return `${formatCount(trainable)}, ${percent.toPrecision(3)} % of ${formatCount((base.parameters ?? 0) + trainable)}`
}

function methodRow({method, settings, tensors, trainable_parameters: trainable}: AdapterMethod): string[] {
  const values = Object.entries(settings).map(([key, value]) => `${key} ${settingText([value].flat())}`)
  return [method, formatCount(tensors), formatCount(trainable), values.join(' · ')]
}

/** Lists of mappings, such as what each layer has chosen, are counted: adapter.json has them. */
function settingText(values: readonly unknown[]): string {
  return values.some((value) => typeof value === 'object') ? `of ${values.length} layers` : values.join(', ')
}

function runText(run: RunInspection): string {
  const {adapter, elapsed_s: elapsed, first_loss: first, last_loss: last, recipe, steps, tokens, validation} = run
  const losses = validation.map(({loss, step}) => `${loss.toFixed(4)} at ${formatCount(step)}`)
  const facts = formatTable([
    ['run', run.path],
    ...(recipe ? recipeRows(recipe) : [['recipe', 'recipe.resolved.yaml is missing']]),
    ['steps', `${formatCount(steps)} in ${formatDuration(elapsed)}`],
    ['loss', first === null || last === null ? 'no step was done' : `${first.toFixed(4)} → ${last.toFixed(4)}`],
    ['validation', losses.length > 0 ? losses.join(' → ') : 'none'],
    ['tokens', `${formatCount(tokens)}, of which ${formatCount(run.supervised_tokens)} supervised`],
  ])
  return `${facts}\n\n${adapter ? adapterText(adapter) : 'This run has left no adapter.'}`
}

function recipeRows({data, model, seed, train}: NonNullable<RunInspection['recipe']>): string[][] {
  const {batch_size: rows, epochs, gradient_accumulation: batches, max_steps: limit, optimizer, schedule} = train
  const length = `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}${limit === null ? '' : `, at most ${formatCount(limit)} steps`}`
  const rate = `${optimizer.name} ${optimizer.learning_rate} ${schedule.name}`
  const batch = `batch ${rows}${batches > 1 ? ` × ${batches}` : ''}`
  return [
    ['recipe', [length, batch, rate, `seed ${seed}`].join(' · ')],
    ['model', model.base],
    ['data', [data.train].flat().join(', ')],
  ]
}
