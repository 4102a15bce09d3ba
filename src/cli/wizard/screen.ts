/** Where questions are asked, and the few words that all of them share. Answers go to stderr's terminal; stdout is for the result. */
import {QUESTIONS, type Question} from '../../recipe/new/answers.js'

/** Streams of a question, as inquirer takes them. */
export const onTerminal = {input: process.stdin, output: process.stderr}

export const TITLES: Readonly<Record<Question, string>> = {
  budget: 'How long may it train?',
  data: 'Which data?',
  goal: 'What is it to learn?',
  method: 'What is trained?',
  model: 'Which model?',
  out: 'Where does the run go?',
  validation: 'Which rows tell how good it gets?',
}

/** '2/7 Which data?' */
export function message(question: Question): string {
  return `${QUESTIONS.indexOf(question) + 1}/${QUESTIONS.length} ${TITLES[question]}`
}

type Key = [key: string, action: string]

/** The help line of a list that Tab completes. */
export const withTab: {readonly style: {readonly keysHelpTip: (keys: Key[]) => string}} = {
  style: {
    keysHelpTip: (keys) => [...keys, ['Tab', 'complete']].map(([key, action]) => `${key} ${action}`).join(' · '),
  },
}

/** Rows of a list: the screen's, less those around it. */
export function listRows(most: number): number {
  return Math.max(5, Math.min(most, (process.stderr.rows ?? 24) - 9))
}

export const columns = (): number => process.stderr.columns ?? 80

/** 4.0M, 129M, 2.8B */
export function sizeText(parameters: number): string {
  const [value, unit] = parameters < 999.5e6 ? [parameters / 1e6, 'M'] : [parameters / 1e9, 'B']
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)}${unit}`
}
