/** A draft as a recipe: YAML with the reason for each number, and its values, checked as those of any other recipe. */
import path from 'node:path'
import {type MambaConfig} from '../../model/config.js'
import {parseRecipe} from '../load.js'
import {type Recipe} from '../schema.js'
import {type AdapterEntry} from './adapter-entries.js'
import {budgetText} from './budget.js'
import {type Draft} from './draft.js'
import {goalFacts} from './goals.js'
import {counted, type RowFacts} from './row-facts.js'
import {commented, keyLine} from './yaml-lines.js'

export interface NewRecipe {
  /** YAML with comments */
  readonly text: string
  readonly recipe: Recipe
}

/**
 * `file` is what the recipe will be called; `fitting` are settings that make a step small enough for the device, as after
 * --set. Errors: RecipeError for what does not go together.
 */
export function newRecipe(draft: Draft, file: string, fitting: readonly string[] = []): NewRecipe {
  const fitted = new Map(fitting.map((setting) => setting.split('=') as [string, string]))
  const text = [
    ...opening(draft, file),
    ...modelLines(draft),
    ...adapterLines(draft),
    ...dataLines(draft, fitted),
    ...trainLines(draft, fitted),
    ...evaluationLines(draft),
    '',
  ].join('\n')
  return {recipe: parseRecipe(text, file), text}
}

function opening({choices: {data, goal, model, out}, method}: Draft, file: string): string[] {
  return [
    `# ${path.basename(model)} on ${path.basename(data)}: ${goalFacts[goal].title.toLowerCase()} (${method.title})`,
    '#',
    `#   mambatune train ${file}`,
    '#',
    '# Every value may be changed: mambatune recipe schema says what there is, mambatune plan what it takes.',
    '',
    keyLine(0, 'version', 1, 'version of the recipe format'),
    keyLine(0, 'seed', 42, 'any number; the same one repeats the run'),
    keyLine(0, 'output_dir', out, 'must be new: nothing is written over'),
    '',
  ]
}

function modelLines({choices: {model}, facts: {config, parameters}}: Draft): string[] {
  return [
    'model:',
    keyLine(2, 'base', model, `${shapeText(config)}, ${counted(parameters)} numbers`),
    keyLine(2, 'dtype', 'auto', 'f16 weights where there is a GPU that has it; the processor computes in f32'),
    '',
  ]
}

const shapeText = ({architecture, hidden, layers}: MambaConfig): string =>
  `${architecture === 'mamba' ? 'Mamba-1' : 'Mamba-2'}, ${layers} layers of width ${counted(hidden)}`

function adapterLines({method: {adapters}}: Draft): string[] {
  const comment = adapters.length > 1 ? 'all are trained together' : ''
  return [commented('adapters:', comment), ...adapters.flatMap(entryLines), '']
}

function entryLines({about, reasons, settings}: AdapterEntry): string[] {
  const {method, ...rest} = settings
  return [
    keyLine(2, '- method', method, about),
    ...Object.entries(rest).map(([key, value]) => keyLine(4, key, value, reasons[key])),
  ]
}

type Fitted = ReadonlyMap<string, string>

function dataLines({choices, facts, length, lossOn}: Draft, fitted: Fitted): string[] {
  const {format, heldOut, isPlainText, rows} = facts.rows
  const fittedLength = fitted.get('data.max_length')
  return [
    'data:',
    keyLine(
      2,
      'train',
      choices.data,
      isPlainText ? 'plain text' : `${counted(rows + heldOut)} ${rows + heldOut === 1 ? 'row' : 'rows'}`,
    ),
    keyLine(2, 'validation', choices.validation, validationText(facts.rows)),
    keyLine(2, 'format', format, 'as it was found; auto would find it again'),
    keyLine(2, 'loss_on', lossOn, goalFacts[choices.goal].loss),
    fittedLength === undefined
      ? keyLine(2, 'max_length', length.value, length.why)
      : keyLine(2, 'max_length', Number(fittedLength), 'tokens; more would not fit into memory'),
    facts.hasEos
      ? keyLine(2, 'append_eos', true, 'teaches the model where a text ends')
      : keyLine(2, 'append_eos', false, 'the tokenizer has no token for it'),
    keyLine(2, 'shuffle', true, 'another order in each epoch'),
    '',
  ]
}

function validationText({heldOut, isPlainText, validation}: RowFacts): string {
  if (validation === null) return 'nothing is evaluated, so nothing tells when to stop'
  if (heldOut === 0) return 'rows that are not trained on'
  return `${counted(heldOut)} of these ${isPlainText ? 'files' : 'rows'}, always the same; not trained on`
}

function trainLines(draft: Draft, fitted: Fitted): string[] {
  const {learningRate} = draft.method
  return [
    'train:',
    ...limitLines(draft),
    ...batchLines(draft, fitted),
    '  optimizer:',
    keyLine(4, 'name', 'adamw'),
    keyLine(4, 'learning_rate', learningRate.value, learningRate.why),
    keyLine(4, 'betas', [0.9, 0.999], 'the usual ones'),
    keyLine(4, 'epsilon', 1e-8, 'the usual one'),
    keyLine(4, 'weight_decay', 0, 'few trained numbers are restraint enough'),
    '  schedule:',
    keyLine(4, 'name', 'cosine'),
    keyLine(4, 'warmup', 0.03, "of all steps, until AdamW's averages mean something"),
    keyLine(4, 'min_ratio', 0, 'ends at 0, so that the last steps settle'),
    keyLine(2, 'clip_norm', 1, 'longest gradient; a rare bad batch cannot throw the run off'),
    ...(draft.stopsEarly ? stoppingLines() : []),
    '',
  ]
}

function limitLines({choices: {budget}, limits, stepsPerEpoch}: Draft): string[] {
  const {epochs, maxMinutes, maxSteps} = limits
  const isLead = budget.unit === 'epochs'
  const epochLine = isLead
    ? keyLine(
        2,
        'epochs',
        epochs,
        `passes over the rows, of ${counted(stepsPerEpoch)} ${stepsPerEpoch === 1 ? 'step' : 'steps'} each`,
      )
    : keyLine(2, 'epochs', epochs, `more than there is time for: the run ends after ${budgetText(budget)}`)
  return [
    epochLine,
    ...(maxSteps === null ? [] : [keyLine(2, 'max_steps', maxSteps, 'optimizer steps, then the run ends')]),
    ...(maxMinutes === null ? [] : [keyLine(2, 'max_minutes', maxMinutes, 'of training, then the run ends')]),
  ]
}

function batchLines({batch}: Draft, fitted: Fitted): string[] {
  const size = fitted.get('train.batch_size')
  const accumulation = Number(fitted.get('train.gradient_accumulation') ?? 1)
  const checkpointing = fitted.get('train.checkpointing') ?? 'auto'
  return [
    size === undefined
      ? keyLine(2, 'batch_size', batch.value, batch.why)
      : keyLine(2, 'batch_size', Number(size), 'rows; more at once would not fit into memory'),
    accumulation > 1
      ? keyLine(2, 'gradient_accumulation', accumulation, `so a step still has ${batch.value} rows`)
      : keyLine(2, 'gradient_accumulation', 1, 'a batch is a step'),
    keyLine(
      2,
      'checkpointing',
      checkpointing,
      checkpointing === 'auto' ? 'computes activations again where keeping them would not fit' : 'to fit into memory',
    ),
  ]
}

const stoppingLines = (): string[] => [
  commented('  early_stopping:', 'labels are soon learnt by heart'),
  keyLine(4, 'patience', 3, 'evaluations in a row that are no better end the run'),
  keyLine(4, 'min_delta', 0, 'any improvement counts'),
  keyLine(2, 'keep', 'best', 'the values with the lowest validation loss'),
]

function evaluationLines({choices, evaluateEvery, steps, stepsPerEpoch}: Draft): string[] {
  if (choices.validation === null) return []
  const times = Math.ceil((steps ?? stepsPerEpoch) / evaluateEvery)
  const often = times === 1 ? 'once' : `about ${times} times`
  return [
    'eval:',
    keyLine(2, 'every', evaluateEvery, `steps: ${often} in ${steps === null ? 'an epoch' : 'the run'}`),
    keyLine(2, 'at_start', true, 'the loss of the untouched model, to compare with'),
  ]
}
