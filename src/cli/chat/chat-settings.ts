/** What `/set` changes: the sampling flags' values, under the names that a recipe would use. */
import {UsageError} from '../../errors.js'
import {nearestName} from '../../nearest-name.js'

export interface ChatSettings {
  readonly max_new_tokens: number
  readonly repetition_penalty: number
  readonly seed: number
  readonly temperature: number
  /** null: all tokens */
  readonly top_k: number | null
  readonly top_p: number
}

type Name = keyof ChatSettings

interface Rule {
  readonly expected: string
  readonly accepts: (value: number) => boolean
}

const count: Rule = {accepts: (value) => Number.isSafeInteger(value) && value >= 1, expected: 'a whole number from 1'}

const RULES: Readonly<Record<Name, Rule>> = {
  max_new_tokens: count,
  repetition_penalty: {accepts: (value) => value > 0 && Number.isFinite(value), expected: 'a number above 0'},
  seed: {
    accepts: (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
    expected: 'a whole number from 0 to 4294967295',
  },
  temperature: {accepts: (value) => value >= 0 && Number.isFinite(value), expected: 'a number from 0'},
  top_k: {...count, expected: 'a whole number from 1, or off'},
  top_p: {accepts: (value) => value > 0 && value <= 1, expected: 'a number above 0 and up to 1'},
}

export const SETTING_NAMES = Object.keys(RULES) as Name[]

/** The settings with one of them changed. Errors: UsageError for a name or a value that there is not. */
export function changed(settings: ChatSettings, name: string, text: string): ChatSettings {
  const known = SETTING_NAMES.find((one) => one === name.replaceAll('-', '_'))
  if (known === undefined) {
    const nearest = nearestName(name, SETTING_NAMES)
    const question = nearest === undefined ? '' : ` Did you mean ${nearest}?`
    throw new UsageError(`${name} is not a setting.${question}`, {hint: '/set, for all of them'})
  }
  if (known === 'top_k' && text === 'off') return {...settings, top_k: null}
  const value = text === '' ? Number.NaN : Number(text)
  const {accepts, expected} = RULES[known]
  if (!accepts(value)) throw new UsageError(`${known} is ${text}, expected ${expected}.`)
  return {...settings, [known]: value}
}

export function settingsText(settings: ChatSettings): string {
  return SETTING_NAMES.map((name) => `${name} ${settings[name] ?? 'off'}`).join('\n')
}
