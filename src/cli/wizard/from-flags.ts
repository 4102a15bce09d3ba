/** Answers without questions: from flags alone, or with defaults for what they leave out. */
import {type Fault, MambatuneError, UsageError} from '../../errors.js'
import {type Question, QUESTIONS} from '../../recipe/new/answers.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {checkAnswer} from './check-answer.js'
import {defaultAnswer} from './default-answer.js'
import {speedOf} from './drafting.js'
import {type Facts} from './facts.js'
import {type Given} from './given.js'

/** What a given answer is checked with; a default follows from all answers before it. */
const NEEDS: Readonly<Record<Question, readonly Question[]>> = {
  budget: [],
  data: ['model'],
  goal: ['data'],
  method: ['model'],
  model: [],
  out: [],
  validation: ['data'],
}

/** In the order of the questions. Errors: that of the answer that cannot be used, or UsageError with all of them. */
export async function answerFromFlags(facts: Facts, given: Given, measures: boolean): Promise<TrainingSpeed | null> {
  const known = async (): Promise<TrainingSpeed | null> => (measures ? speedOf(facts) : null)
  const open = new Set<Question>()
  const errors: (readonly [Question, MambatuneError])[] = []
  for (const [index, question] of QUESTIONS.entries()) {
    const needs = given.has(question) ? NEEDS[question] : QUESTIONS.slice(0, index)
    try {
      if (needs.some((other) => open.has(other))) open.add(question)
      else await answer(question)
    } catch (error) {
      if (!(error instanceof MambatuneError)) throw error
      errors.push([question, error])
      open.add(question)
    }
  }
  if (errors.length > 0) throw allOf(errors)
  return known()

  async function answer(question: Question): Promise<void> {
    const speed = question === 'budget' && !given.has('budget') ? await known() : null
    const text = given.get(question) ?? (await defaultAnswer(question, facts, speed))
    await checkAnswer(question, text, facts)
    facts.answers.set(question, text)
  }
}

function allOf(errors: readonly (readonly [Question, MambatuneError])[]): MambatuneError {
  const [[, first]] = errors
  if (errors.length === 1) return first
  const faults = errors.flatMap(([question, {faults, message}]): Fault[] => [
    {message, where: `--${question}`},
    ...faults,
  ])
  return new UsageError('Several answers cannot be used.', {
    faults,
    ...(first.hint === undefined ? {} : {hint: first.hint}),
  })
}
