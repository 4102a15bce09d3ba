/** Whether an answer can be used: what a flag is held to, and what is typed at a question. */
import {existsSync} from 'node:fs'
import {FileError, UsageError} from '../../errors.js'
import {nearestName} from '../../nearest-name.js'
import {DEFAULT_SHARE, NO_VALIDATION, type Question} from '../../recipe/new/answers.js'
import {BUDGET_FORMS, parseBudget} from '../../recipe/new/budget.js'
import {type Goal, goalsFor} from '../../recipe/new/goals.js'
import {type MethodPreset} from '../../recipe/new/method-names.js'
import {methodPresetsFor} from '../../recipe/new/method-presets.js'
import {isLikeShare, parseShare, wrongShare} from '../../recipe/validation-share.js'
import {rowFacts} from './drafting.js'
import {type Facts} from './facts.js'

type Check = (answer: string, facts: Facts) => Promise<unknown>

/** Errors: UsageError, or those of reading what is named. */
export function checkAnswer(question: Question, answer: string, facts: Facts): Promise<unknown> {
  return checks[question](answer, facts)
}

const checks: Readonly<Record<Question, Check>> = {
  async budget(answer) {
    if (parseBudget(answer)) return
    throw new UsageError(`--budget ${answer} means nothing; expected such as ${BUDGET_FORMS}.`, {
      hint: '--budget 1epoch',
    })
  },
  data: (answer, facts) => facts.data(answer),
  async goal(answer, facts) {
    oneOf('goal', answer, await goalsOf(facts), 'rows of this format')
  },
  async method(answer, facts) {
    oneOf('method', answer, await methodsOf(facts), 'this model')
  },
  model: (answer, facts) => facts.model(answer),
  async out(answer) {
    if (answer.trim() === '') throw new UsageError('--out is empty, expected a directory for the run.')
    if (existsSync(answer)) {
      throw new FileError(`${answer} is there already, and nothing is written over.`, {hint: `--out ${answer}-2`})
    }
  },
  validation: (answer, facts) => (isLikeShare(answer) ? checkShare(answer, facts) : facts.validation(answer)),
}

async function checkShare(answer: string, facts: Facts): Promise<void> {
  if (parseShare(answer) === null) {
    throw new UsageError(`--validation: ${wrongShare(answer)}.`, {hint: `--validation ${DEFAULT_SHARE}`})
  }
  if (await canHoldOut(facts)) return
  throw new UsageError(`--validation ${answer}: of a single row, or a single plain text file, none can be held out.`, {
    hint: `--validation ${NO_VALIDATION}, or a file`,
  })
}

/** Whether there are rows enough for both sides; a plain text file counts as one. */
export async function canHoldOut(facts: Facts): Promise<boolean> {
  return (await facts.data()).inspection.rows > 1
}

/** Those that the rows can have, the most likely one first. */
export async function goalsOf(facts: Facts): Promise<readonly Goal[]> {
  return goalsFor(rowFacts(await facts.data(), null).format)
}

export async function methodsOf(facts: Facts): Promise<readonly MethodPreset[]> {
  return methodPresetsFor((await facts.model()).config)
}

function oneOf(flag: string, answer: string, known: readonly string[], of: string): void {
  if (known.includes(answer)) return
  const near = nearestName(answer, known)
  throw new UsageError(`--${flag} ${answer}: ${of} can have ${known.join(', ')}.`, {
    hint: `--${flag} ${near ?? known[0]}`,
  })
}
