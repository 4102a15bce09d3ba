/** The answers that the command line gives, and what it says where that is not enough. */
import {UsageError} from '../../errors.js'
import {type Question, QUESTIONS} from '../../recipe/new/answers.js'

export type Given = ReadonlyMap<Question, string>

/** What each flag takes, for messages. */
const TAKES: Readonly<Record<Question, string>> = {
  budget: '3epochs, 20m or 500steps',
  data: 'a file, a directory, or hub://owner/name',
  goal: 'answer, chat, classify or text',
  method: 'balanced, light, thorough, combined, …',
  model: 'a directory, or owner/name on the hub',
  out: 'a new directory for the run',
  validation: 'a share such as 5%, a file, a directory, or none',
}

/** `isJson`: nothing is asked because of --json, terminal or not. Errors: UsageError that names every flag that is missing. */
export function requireAll(given: Given, isJson: boolean): void {
  const missing = QUESTIONS.filter((question) => !given.has(question))
  if (missing.length === 0) return
  const why = isJson ? 'With --json nothing is asked' : 'There is no terminal to ask at'
  throw new UsageError(`${why}, and some questions have no answer.`, {
    faults: missing.map((question) => ({message: TAKES[question], where: `--${question}`})),
    hint: 'Add these flags, or --yes to take the defaults for them.',
  })
}
