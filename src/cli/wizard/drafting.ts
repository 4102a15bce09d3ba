/** From the answers so far to a draft of the recipe, with the speed of this machine where it is wanted. */
import {MambatuneError} from '../../errors.js'
import {type Answers, NO_VALIDATION, QUESTIONS} from '../../recipe/new/answers.js'
import {type Budget, parseBudget} from '../../recipe/new/budget.js'
import {type Choices, type Draft, draftOf} from '../../recipe/new/draft.js'
import {type Goal, GOALS} from '../../recipe/new/goals.js'
import {METHOD_PRESETS, type MethodPreset} from '../../recipe/new/method-names.js'
import {chooseMethod} from '../../recipe/new/method-presets.js'
import {paddedLength, type RowFacts, withHeldOut} from '../../recipe/new/row-facts.js'
import {validationShare} from '../../recipe/validation-share.js'
import {secondsPerStep} from '../../report/new/run-time.js'
import {measureSpeed, type TrainingSpeed} from '../../report/new/training-speed.js'
import {type DataFacts, type Facts} from './facts.js'

/** What stands for answers that have not been given yet. */
const UNTIL_THEN: Answers = {
  budget: '1epoch',
  data: '',
  goal: 'text',
  method: 'balanced',
  model: '',
  out: 'runs/out',
  validation: NO_VALIDATION,
}

/** The answers as a recipe needs them; those that were given have been checked. */
export function choicesSoFar(facts: Facts): Choices {
  const text = (question: keyof Answers): string => facts.answers.get(question) ?? UNTIL_THEN[question]
  const [model, data, goal, method, budget, validation, out] = QUESTIONS.map(text)
  return {
    budget: parseBudget(budget) as Budget,
    data,
    goal: GOALS.find((known) => known === goal) as Goal,
    method: METHOD_PRESETS.find((known) => known === method) as MethodPreset,
    model,
    out,
    validation: validation === NO_VALIDATION ? null : validation,
  }
}

/** Errors: those of reading model and data. */
export async function draftSoFar(facts: Facts, speed: TrainingSpeed | null): Promise<Draft> {
  const choices = choicesSoFar(facts)
  const [{place}, {config, parameters}, data] = [await facts.place(), await facts.model(), await facts.data()]
  const validation = choices.validation === null ? null : await facts.validation(choices.validation)
  const rows = rowFacts(data, validation)
  const share = validationShare(choices.validation)
  const known = {
    config,
    device: place.device,
    hasEos: data.tokenizer !== null && data.tokenizer.eosId !== null,
    parameters,
    rows: share === null ? rows : withHeldOut(rows, share),
  }
  const draft = draftOf(choices, {...known, secondsPerStep: null})
  if (speed === null) return draft
  return draftOf(choices, {...known, secondsPerStep: secondsPerStep(draft, speed.tokensPerSecond)})
}

export function rowFacts({inspection}: DataFacts, validation: DataFacts | null): RowFacts {
  const {files, format, lengths, rows, total} = inspection
  return {
    format: format as RowFacts['format'],
    isPlainText: files.every(({container}) => container === 'text'),
    heldOut: 0,
    longest: lengths.longest,
    percentile95: lengths.percentile_95,
    rows,
    total,
    validation: validation === null ? null : validation.inspection.total,
  }
}

/** Measured once for a model and a method. null: it cannot be measured here, which is for training to say. */
export async function speedOf(facts: Facts): Promise<TrainingSpeed | null> {
  const {batch, choices, facts: known, length} = await draftSoFar(facts, null)
  const {method, model} = choices
  const rows = batch.value
  const padded = paddedLength(known.rows, length.value) // where rows are short, a step is small, and slower for its tokens
  const key = `${model} ${method} ${rows} ${padded}`
  return facts.once('speed', key, async () => {
    const {gpuMemory, reporter} = facts.options
    reporter.step('Measuring how fast this machine trains')
    try {
      return await measureSpeed({
        adapters: (config) =>
          chooseMethod(method, config, {parameters: known.parameters}).adapters.map(({settings}) => settings),
        config: known.config,
        device: known.device,
        gpuMemory,
        length: padded,
        rows,
      })
    } catch (error) {
      if (error instanceof MambatuneError) return null
      throw error
    } finally {
      reporter.stop()
    }
  })
}
