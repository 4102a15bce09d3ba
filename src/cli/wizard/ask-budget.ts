/** How long training may take: a few budgets, or one that is typed; each with what it comes to on this machine, as it is typed. */
import {search, Separator} from '@inquirer/prompts'
import {type Budget, BUDGET_FORMS, budgetFlag, budgetText, parseBudget} from '../../recipe/new/budget.js'
import {type Draft, draftOf} from '../../recipe/new/draft.js'
import {runTime} from '../../report/new/run-time.js'
import {type TrainingSpeed} from '../../report/new/training-speed.js'
import {formatCount, formatCounted, formatDuration} from '../format.js'
import {padEnd} from '../display-width.js'
import {draftSoFar} from './drafting.js'
import {type Facts} from './facts.js'
import {listRows, message, onTerminal} from './screen.js'

const USUAL: readonly Budget[] = [
  {amount: 1, unit: 'epochs'},
  {amount: 3, unit: 'epochs'},
  {amount: 5, unit: 'minutes'},
  {amount: 15, unit: 'minutes'},
  {amount: 60, unit: 'minutes'},
  {amount: 100, unit: 'steps'},
]

export async function askBudget(facts: Facts, preset: string, speed: TrainingSpeed | null): Promise<string> {
  const draft = await draftSoFar(facts, speed)
  const usual = [parseBudget(preset), ...USUAL].filter((budget) => budget !== null)
  const offered = usual.filter(
    (budget, index) => usual.findIndex((other) => budgetFlag(other) === budgetFlag(budget)) === index,
  )
  return search(
    {
      default: preset,
      message: message('budget'),
      pageSize: listRows(8),
      source(term = '') {
        const typed = parseBudget(term)
        const choices = (term === '' ? offered : typed ? [typed] : []).map((budget) => choiceOf(budget, draft, speed))
        return typed ? choices : [...choices, FORMS]
      },
    },
    onTerminal,
  )
}

const FORMS = new Separator(`or type ${BUDGET_FORMS}`)

interface Choice {
  readonly name: string
  readonly value: string
  readonly short: string
  readonly description: string
}

export function choiceOf(budget: Budget, draft: Draft, speed: TrainingSpeed | null): Choice {
  const text = budgetText(budget)
  return {
    description: speed === null ? 'The speed of this machine is not known.' : `${speedText(speed)}.`,
    name: `${padEnd(text, 11)} ${estimateText(budget, draft, speed)}`,
    short: text,
    value: budgetFlag(budget),
  }
}

/** 'about 12m, 1,000 steps, 1.0 epochs' */
export function estimateText(budget: Budget, draft: Draft, speed: TrainingSpeed | null): string {
  const {choices, facts} = draft
  const own = draftOf({...choices, budget}, facts)
  const time = speed === null ? null : runTime(own, speed.tokensPerSecond)
  if (time === null) return own.steps === null ? 'as many steps as it has time for' : formatCounted(own.steps, 'step')
  const epochs = time.epochs < 0.1 ? time.epochs.toPrecision(1) : time.epochs.toFixed(1)
  const work = `${formatCounted(time.steps, 'step')}, ${epochs} epochs`
  return budget.unit === 'minutes' ? `about ${work}` : `about ${aboutTime(time.seconds)}, ${work}`
}

/** Estimates have no seconds in them where there are many minutes. */
export function aboutTime(seconds: number): string {
  const rounded = seconds < 600 ? Math.round(seconds) : 60 * Math.round(seconds / 60)
  return formatDuration(rounded).replace(/m00s$/, 'm')
}

/** '1,345 tokens/s, measured here: …' */
export function speedText({source, tokensPerSecond}: TrainingSpeed): string {
  const speed = tokensPerSecond < 10 ? tokensPerSecond.toPrecision(2) : formatCount(Math.round(tokensPerSecond))
  return `${speed} tokens/s, ${source}`
}
