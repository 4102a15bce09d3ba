/**
 * What a model is trained for, and what that means for a recipe: which tokens the loss counts, and whether a run watches for
 * the moment from which on it only learns rows by heart. Which goals there are depends on what the rows hold.
 */
import {type LossOn, type RowFormat} from '../../data/dataset.js'
import {partsOf} from '../../data/supervision.js'

export const GOALS = ['answer', 'chat', 'classify', 'text'] as const

export type Goal = (typeof GOALS)[number]

export interface GoalFacts {
  readonly title: string
  /** What the loss counts */
  readonly loss: string
  /** Passes over the rows, where there are many and where there are few */
  readonly epochs: {readonly many: number; readonly few: number}
  /** Ends when the validation loss no longer falls, and keeps the best. */
  readonly stopsEarly: boolean
}

export const goalFacts: Readonly<Record<Goal, GoalFacts>> = {
  answer: {
    loss: 'what comes after each prompt; prompts are given, not learnt',
    epochs: {few: 3, many: 1},
    stopsEarly: false,
    title: 'Answer prompts the way these rows do',
  },
  chat: {
    loss: "the assistant's turns; the others are read only",
    epochs: {few: 3, many: 1},
    stopsEarly: false,
    title: 'Hold conversations like these',
  },
  classify: {
    loss: 'the label at the end',
    epochs: {few: 5, many: 3},
    stopsEarly: true,
    title: 'Give each text a short label',
  },
  text: {
    loss: 'every token: subject, words and style of the whole text',
    epochs: {few: 3, many: 1},
    stopsEarly: false,
    title: 'Write texts like these',
  },
}

const ofFormat: Readonly<Record<RowFormat, readonly Goal[]>> = {
  alpaca: ['answer', 'classify', 'text'],
  chat: ['chat', 'classify', 'text'],
  prompt_completion: ['answer', 'classify', 'text'],
  segments: ['answer', 'text'],
  sharegpt: ['chat', 'classify', 'text'],
  text: ['text'],
  tokens: ['answer', 'text'],
}

/** The goals that rows of a format can have, the most likely one first. */
export function goalsFor(format: RowFormat): readonly Goal[] {
  return ofFormat[format]
}

/** data.loss_on */
export function lossOnFor(goal: Goal, format: RowFormat): LossOn {
  if (goal === 'text') return 'all'
  if (goal === 'classify' && partsOf[format].includes('last')) return 'last'
  return partsOf[format][0]
}
