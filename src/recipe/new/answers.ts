/**
 * What is asked for a new recipe, in order. Each answer is the text that its flag takes, so that a walk through the questions
 * and a command line say the same.
 */
export const QUESTIONS = ['model', 'data', 'goal', 'method', 'budget', 'validation', 'out'] as const

export type Question = (typeof QUESTIONS)[number]

export type Answers = Readonly<Record<Question, string>>

/** What an answer of `--validation` is where nothing is to be evaluated. */
export const NO_VALIDATION = 'none'

/** What it is by default where no validation file lies beside the training data. */
export const DEFAULT_SHARE = '5%'
