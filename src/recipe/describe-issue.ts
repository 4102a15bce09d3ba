/**
 * The wording of one thing that the schema found wrong: what was expected, what is there, and what to type instead where that can be told.
 * It knows neither the key nor the place; messages that the schema itself carries win over those made here.
 */
import {type z} from 'zod'

import {nearestName} from '../nearest-name.js'
import {valueAt} from './paths.js'

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping of keys to values',
  string: 'text',
  tuple: 'a list',
}

/** Zod's hook for messages; undefined leaves zod's own. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      return describeTypes([issue.expected], issue.input)
    }

    case 'invalid_union': {
      return 'options' in issue && Array.isArray(issue.options)
        ? oneOf(issue.options, valueAt(issue.input, [String(issue.discriminator)]))
        : undefined
    }

    case 'invalid_value': {
      return oneOf(issue.values, issue.input)
    }

    case 'too_big': {
      return expected(
        limit(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum),
        issue.input,
      )
    }

    case 'too_small': {
      return issue.origin === 'string'
        ? 'must not be empty'
        : expected(
            limit(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum),
            issue.input,
          )
    }

    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'not_multiple_of':
    case 'unrecognized_keys': {
      return undefined
    }
  }
}

/** A value of none of the types that may stand there. */
export function describeTypes(types: readonly string[], input: unknown): string {
  const names = types.map((type) =>
    type === 'number' && typeof input === 'number' ? 'a finite number' : (TYPE_NAMES[type] ?? type),
  )
  return expected(names.join(' or '), input, remedy(types[0], input))
}

function expected(what: string, input: unknown, advice = ''): string {
  return `expected ${what}, got ${got(input)}${advice}`
}

function oneOf(values: readonly unknown[], input: unknown): string {
  const names = values.map(String)
  const near = typeof input === 'string' ? nearestName(input, names) : undefined
  const what = names.length === 1 ? names[0] : `one of ${names.join(', ')}`
  if (near !== undefined && near === input) return expected(what, input, ': remove the quotes')
  return expected(what, input, near === undefined || names.length === 1 ? '' : `. Did you mean ${near}?`)
}

function limit(origin: string, relation: string, bound: number | bigint): string {
  return origin === 'array' || origin === 'tuple'
    ? `${relation} ${bound} ${Number(bound) === 1 ? 'entry' : 'entries'}`
    : `${relation} ${bound}`
}

/** What to type instead, where it can be told from what was typed. */
function remedy(type: string, input: unknown): string {
  if (input === null && type === 'object') return ': write its keys below it, or delete the line'
  if (type === 'string' && (typeof input === 'number' || typeof input === 'boolean')) {
    return `: put it in quotes, "${input}"`
  }
  if (typeof input !== 'string') return ''
  if (type === 'boolean') return /^(true|false)$/i.test(input) ? ': remove the quotes' : ''
  if (type !== 'number' && type !== 'int') return ''
  if (isNumeric(input)) return ': remove the quotes'
  const joined = input.replaceAll(/[_, ]/g, '')
  return isNumeric(joined) ? `: write ${joined}` : ''
}

function isNumeric(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text))
}

function got(input: unknown): string {
  if (input === null || input === undefined) return 'nothing'
  if (Array.isArray(input)) return input.length === 0 ? 'an empty list' : `a list of ${input.length}`
  if (typeof input === 'string') {
    return `the text ${JSON.stringify(input.length > 40 ? `${input.slice(0, 37)}…` : input)}`
  }
  if (typeof input === 'number') return String(input).replace('Infinity', '.inf').replace('NaN', '.nan')
  return typeof input === 'object' ? 'a mapping' : JSON.stringify(input)
}
