/** The end of the questions: the recipe, what running it will take, and the commands that do the same again. */
import {type RunPlan, planRun} from '../../report/plan.js'
import {QUESTIONS} from '../../recipe/new/answers.js'
import {newRecipe, type NewRecipe} from '../../recipe/new/new-recipe.js'
import {type RunTime, runTime} from '../../report/new/run-time.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {quoted} from '../failure.js'
import {truncate} from '../display-width.js'
import {findData} from '../locate-data.js'
import {planText} from '../plan-text.js'
import {createStyle, hasColour, isInteractive, type Style} from '../terminal.js'
import {formatCounted} from '../format.js'
import {aboutTime, speedText} from './ask-budget.js'
import {draftSoFar} from './drafting.js'
import {type Facts} from './facts.js'

export interface Review extends NewRecipe {
  /** Where the recipe is to be written */
  readonly file: string
  readonly plan: RunPlan
  readonly time: RunTime | null
  readonly speed: TrainingSpeed | null
  /** Settings that were made smaller, so that a step fits */
  readonly fitted: readonly string[]
  readonly commands: {readonly init: string; readonly train: string}
  /** Of the command train */
  readonly trainArguments: readonly string[]
}

/** All questions have answers. Errors: those of reading, and RecipeError for answers that do not go together. */
export async function reviewOf(facts: Facts, speed: TrainingSpeed | null, file: string): Promise<Review> {
  const {device, gpuMemory, reporter} = facts.options
  const draft = await draftSoFar(facts, speed)
  const {directory, tokenizer} = await facts.model()
  const planFor = async (fitted: readonly string[]): Promise<NewRecipe & {readonly plan: RunPlan}> => {
    const made = newRecipe(draft, file, fitted)
    const place = {data: await findData(made.recipe, reporter), model: directory, tokenizer}
    const {plan} = await planRun({device, gpuMemory, place, recipe: made.recipe})
    return {...made, plan}
  }
  reporter.step('Planning the run')
  try {
    const first = await planFor([])
    const [fitting] = first.plan.fits ? [] : first.plan.fitting
    const fitted = fitting?.settings ?? []
    const made = fitted.length > 0 ? await planFor(fitted) : first
    const time = speed && runTime(draft, speed.tokensPerSecond)
    return {...made, ...commandsOf(facts, file), file, fitted, speed, time}
  } finally {
    reporter.stop()
  }
}

/** Commands that can be pasted: one makes the recipe again, one trains by it. */
function commandsOf(
  {answers, options: {device, gpuMemory}}: Facts,
  file: string,
): Pick<Review, 'commands' | 'trainArguments'> {
  const on = [
    ...(device === 'auto' ? [] : ['--device', device]),
    ...(gpuMemory === null ? [] : ['--gpu-memory', String(gpuMemory / 2 ** 30)]),
  ]
  const flags = QUESTIONS.flatMap((question) => [`--${question}`, answers.get(question) ?? ''])
  const line = (words: readonly string[]): string => ['mambatune', ...words].map(quoted).join(' ')
  return {
    commands: {
      init: line(['init', file, ...flags, ...on, '--yes']),
      train: line(['train', file, ...on]),
    },
    trainArguments: [file, ...on],
  }
}

/** As standard output can show it. */
export function shownText(review: Review): string {
  const {env, stdout} = process
  return reviewText(review, createStyle(hasColour(stdout, env)), isInteractive(stdout, env) ? stdout.columns : null)
}

/** `columns` is the width of a terminal, in which comments of the recipe are cut; null: nothing is cut. */
function reviewText(review: Review, style: Style, columns: number | null): string {
  const {commands, file, fitted, plan, text} = review
  return [
    `${style.bold(file)}\n\n${yamlText(text.trimEnd(), style, columns)}`,
    `${style.bold('Plan')}\n\n${planText(plan)}`,
    ...(fitted.length > 0 ? [`Made smaller, so that a step fits: ${fitted.join(', ')}`] : []),
    timeText(review),
    `${style.bold('The same again')}\n\n  ${commands.init}\n  ${commands.train}`,
  ].join('\n\n')
}

function timeText({speed, time}: Review): string {
  if (time === null || speed === null) return 'Time is not known: the speed of this machine was not measured.'
  return `Time: about ${aboutTime(time.seconds)} for ${formatCounted(time.steps, 'step')}; ${speedText(speed)}`
}

/** Comments step back, and end where the line does. */
function yamlText(text: string, style: Style, columns: number | null): string {
  const lines = text
    .split('\n')
    .map((line) => (columns === null || !/(^|\s)#/.test(line) ? line : truncate(line, columns)))
  return lines.map((line) => line.replace(/(^|\s)#( .*)?$/, (comment) => style.dim(comment))).join('\n')
}
