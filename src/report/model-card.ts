/**
 * README.md beside a merged model or an exported adapter: what it was made from and how it went, as Hugging Face's model cards
 * have it, with places to fill in what a program cannot know. Of paths only the last part is named, and of data only file
 * names: a card is made to be published.
 */
import {readFile} from 'node:fs/promises'
import path from 'node:path'
import {programVersion} from '../checkpoint/program-version.js'
import {isFile} from '../checkpoint/weight-files.js'
import {normOf} from '../peft/base-norm.js'
import {loraScale} from '../peft/lora-settings.js'
import {type LeftOut} from '../peft/export-format.js'
import {type AdapterSettings} from '../peft/method-settings.js'
import {readAdapter} from '../peft/saved-adapter.js'
import {loadRecipe} from '../recipe/load.js'
import {runFiles} from '../recipe/run-files.js'
import {type Recipe} from '../recipe/schema.js'
import {validationShare} from '../recipe/validation-share.js'
import {type Metrics, readMetrics} from './metrics-file.js'

export interface CardSubject {
  /** Directory of the adapter; the run that it lies in tells how it was trained */
  readonly adapter: string
  /** What the base is called: a path, or owner/name@commit */
  readonly base: string
  /** Directory of the base, whose own card names its licence; null: not known */
  readonly baseDirectory: string | null
  readonly kind: 'merged' | 'peft' | 'safetensors' | 'state'
  /** Parts of the adapter that the format cannot hold */
  readonly leftOut?: readonly LeftOut[]
  /** Lines of a section on how well the merge was checked */
  readonly certificate?: readonly string[]
}

export async function modelCard(subject: CardSubject): Promise<string> {
  const saved = await readAdapter(subject.adapter)
  const {settings} = saved
  const licence = subject.baseDirectory === null ? null : await licenceOf(subject.baseDirectory)
  const training = await trainingOf(path.dirname(path.resolve(subject.adapter)))
  const name = publicName(subject.base)
  const what = subject.kind === 'merged' ? 'fine-tuned' : 'an adapter'
  return [
    frontMatter(subject, settings, licence),
    `# ${name}, ${what} with ${methodsOf(settings).join(' + ')}`,
    '<!-- Say here what the model is for, and what it is not for. -->',
    '## Made from',
    list([
      `Base model: ${code(name)}${normText(normOf(saved))}`,
      ...settings.map(settingsText),
      ...leftOutLines(subject),
      ...(training ? dataLines(training) : []),
    ]),
    ...(training ? ['## Training', list(trainingLines(training))] : []),
    ...(subject.certificate ? ['## Merge', list(subject.certificate)] : []),
    '## Use',
    usage(subject, name),
    '## Licence',
    `Of the base model: ${licence === null ? 'unknown; fill in' : code(licence)}. Of the data: unknown; fill in.`,
    `Written by mambatune ${programVersion()}.`,
  ]
    .join('\n\n')
    .concat('\n')
}

function normText(epsilon: number | null): string {
  return epsilon === null ? '' : `, its Δ, B and C under RMSNorm without a weight, as in Falcon-Mamba (ε ${epsilon})`
}

const ON_HUB = /^([\w.-]+\/[\w.-]+)@[\da-f]{40}$/

/** owner/name of a model of the hub; of a path its last part. */
export function publicName(name: string): string {
  return ON_HUB.exec(name)?.[1] ?? path.basename(name.replaceAll('\\', '/'))
}

function frontMatter({base, kind}: CardSubject, settings: readonly AdapterSettings[], licence: string | null): string {
  const onHub = ON_HUB.exec(base)?.[1]
  const libraries = {merged: 'transformers', peft: 'peft', safetensors: 'mambatune', state: 'mambatune'} as const
  return [
    '---',
    ...(onHub === undefined ? [] : [`base_model: ${JSON.stringify(onHub)}`]),
    `library_name: ${libraries[kind]}`,
    `license: ${licence === null ? 'unknown # that of the base model and the data; fill in' : `${JSON.stringify(licence)} # that of the base model; the data may ask for more`}`,
    'pipeline_tag: text-generation',
    `tags: [${['mamba', 'mambatune', ...methodsOf(settings)].join(', ')}]`,
    '---',
  ].join('\n')
}

const methodsOf = (settings: readonly AdapterSettings[]): string[] => [...new Set(settings.map(({method}) => method))]

function settingsText(settings: AdapterSettings): string {
  const {method, ...values} = settings
  const scale = settings.method === 'lora' ? [`scale ${loraScale(settings)}`] : []
  const texts = Object.entries(values).map(([key, value]) => `${key} ${[value].flat().join(', ')}`)
  return `Method: ${method}; ${[...texts, ...scale].join('; ')}`
}

interface Training {
  readonly recipe: Recipe
  readonly metrics: Metrics
}

/** null for an adapter that lies in no run. */
async function trainingOf(run: string): Promise<Training | null> {
  const {metrics, recipe} = runFiles(run)
  if (!(await isFile(recipe))) return null
  return {metrics: await readMetrics(metrics), recipe: (await loadRecipe(recipe)).recipe}
}

function leftOutLines({leftOut = []}: CardSubject): string[] {
  return leftOut.map(({part, reason}) => `Not in these files: ${part}, because ${reason}`)
}

function dataLines({recipe: {data}}: Training): string[] {
  const names = (files: string | readonly string[]): string =>
    [files]
      .flat()
      .map((file) => code(publicName(file)))
      .join(', ')
  return [`Data: ${names(data.train)}${validatedOn(data.validation, names)}`]
}

function validatedOn(
  validation: Recipe['data']['validation'],
  names: (files: string | readonly string[]) => string,
): string {
  if (validation === null) return ''
  if (validationShare(validation) !== null) {
    return `, ${String(validation)} of its rows held out to validate with`
  }
  return `, validated on ${names(validation)}`
}

function trainingLines({metrics: {evaluations, steps}, recipe: {seed, train}}: Training): string[] {
  const last = steps.at(-1)
  const [before, after] = [evaluations.at(0), evaluations.at(-1)]
  const tokens = steps.reduce((sum, {tokens: own}) => sum + own, 0)
  const {batch_size: rows, gradient_accumulation: batches, optimizer, schedule} = train
  return [
    `${last?.step ?? 0} steps of ${rows * batches} rows, ${tokens.toLocaleString('en-US')} tokens, seed ${seed}`,
    `${optimizer.name}, learning rate ${optimizer.learning_rate}, ${schedule.name}`,
    ...(last ? [`Last training loss: ${last.loss.toFixed(4)} nats a token`] : []),
    ...(before && after && before !== after
      ? [
          `Validation loss: ${before.loss.toFixed(4)} → ${after.loss.toFixed(4)} (perplexity ${Math.exp(after.loss).toFixed(2)})`,
        ]
      : []),
  ]
}

function usage({kind}: CardSubject, base: string): string {
  const python = '```python'
  const model = code(base)
  switch (kind) {
    case 'merged':
      return `\`\`\`sh\nmambatune generate THIS_DIRECTORY --prompt '…'\n\`\`\`\n\n${python}\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\nmodel = AutoModelForCausalLM.from_pretrained("THIS_DIRECTORY")\ntokenizer = AutoTokenizer.from_pretrained("THIS_DIRECTORY")\n\`\`\``
    case 'peft':
      return `\`\`\`sh\nmambatune generate BASE --adapter THIS_DIRECTORY --prompt '…'\n\`\`\`\n\n${python}\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\nmodel = AutoModelForCausalLM.from_pretrained("BASE")  # the base model\nmodel = PeftModel.from_pretrained(model, "THIS_DIRECTORY")\n\`\`\`\n\nBASE is ${model}.`
    case 'safetensors':
      return `The tensors are described below; add them to ${model} as the settings in the file's header say.`
    case 'state':
      return `\`state.safetensors\` holds the first state of every layer of ${model}; \`state.json\` says what is what.`
  }
}

/** The word that the base's own card has for its licence. */
async function licenceOf(base: string): Promise<string | null> {
  const card = path.join(base, 'README.md')
  if (!(await isFile(card))) return null
  const [, head = ''] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(await readFile(card, 'utf8')) ?? []
  return /^license:\s*["']?([\w.-]+)["']?\s*$/m.exec(head)?.[1] ?? null
}

const list = (lines: readonly string[]): string => lines.map((line) => `- ${line.replaceAll(/\s+/g, ' ')}`).join('\n')

/** A name as code, whatever is in it. */
function code(name: string): string {
  return `\`${name.replaceAll(/[`\s]+/g, ' ')}\``
}
