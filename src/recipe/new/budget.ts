/** How long a new run may go on: passes over the rows, minutes, or optimizer steps; as text, and as keys of `train`. */

export interface Budget {
  readonly unit: 'epochs' | 'minutes' | 'steps'
  readonly amount: number
}

/** Units as they may be typed, and how many of ours one of them is. */
const UNITS: readonly (readonly [RegExp, Budget['unit'], number])[] = [
  [/^$|^e$|^epochs?$|^pass(?:es)?$/, 'epochs', 1],
  [/^m$|^min$|^mins$|^minutes?$/, 'minutes', 1],
  [/^h$|^hours?$/, 'minutes', 60],
  [/^s$|^steps?$/, 'steps', 1],
]

export const BUDGET_FORMS = '3 (epochs), 20m, 1.5h or 500steps'

/** null for what means nothing. */
export function parseBudget(text: string): Budget | null {
  const [, number = '', word = ''] = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*$/i.exec(text) ?? []
  const known = UNITS.find(([pattern]) => pattern.test(word.toLowerCase()))
  const amount = Number((Number(number) * (known?.[2] ?? 0)).toPrecision(12)) // 1.1 × 60 is 66
  if (!known || number === '' || amount <= 0) return null
  const unit = known[1]
  return unit === 'steps' && !Number.isInteger(amount) ? null : {amount, unit}
}

/** '3epochs', '20m', '500steps': one word, which a flag takes without quotes. */
export function budgetFlag({amount, unit}: Budget): string {
  return `${amount}${unit === 'minutes' ? 'm' : amount === 1 ? unit.slice(0, -1) : unit}`
}

/** '1 epoch', '20 minutes' */
export function budgetText({amount, unit}: Budget): string {
  return `${amount} ${amount === 1 ? unit.slice(0, -1) : unit}`
}

export interface Limits {
  readonly epochs: number
  readonly maxSteps: number | null
  readonly maxMinutes: number | null
}

/** Epochs that minutes or steps are to end before, with room for a machine that turns out quicker. */
const ROOM = 2
/** Where nothing is known of the speed: enough for minutes or steps to be what ends the run. */
const MANY = 1000

/** `epochsWithin` is how many epochs the budget is about, where that is known. */
export function limitsOf({amount, unit}: Budget, epochsWithin: number | null): Limits {
  const room = epochsWithin === null ? MANY : Math.max(1, Math.ceil(ROOM * epochsWithin))
  return {
    epochs: unit === 'epochs' ? amount : room,
    maxMinutes: unit === 'minutes' ? amount : null,
    maxSteps: unit === 'steps' ? amount : null,
  }
}
