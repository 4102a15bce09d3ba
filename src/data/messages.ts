/**
 * Conversations, in the three shapes in which they come, as one list of messages:
 *
 *   {"messages": [{"role": "user", "content": "…"}, …], "tools": […]}          chat
 *   {"conversations": [{"from": "human", "value": "…"}, …], "system": "…"}     ShareGPT
 *   {"instruction": "…", "input": "…", "output": "…", "system": "…"}           Alpaca
 *
 * A message of a chat may carry `train` (true or false), or `weight` (0 or 1), which go before data.loss_on.
 */
import {isJsonObject, type JsonObject, kindOf} from './json-value.js'
import {textProblem} from './text-value.js'

export interface Message {
  readonly role: string
  readonly content: string
  /** What the row itself says; null: nothing */
  readonly train: boolean | null
  /** What a template sees: role, content, and what else the row holds for it */
  readonly fields: JsonObject
}

/** Between instruction and input, in the text of the authors of Alpaca. */
export const INPUT_HEADING = '\n\n### Input:\n'

/** Roles of ShareGPT and of its kin → the usual ones. */
const ROLES: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  assistant: 'assistant',
  system: 'system',
  tool: 'tool',
  function_call: 'assistant',
  observation: 'tool',
}

/** Adds to `problems` what is wrong; the result is whole only if nothing was added. So do the other two. */
export function chatMessages({messages}: JsonObject, problems: string[]): Message[] {
  return entriesOf('messages', messages, '{role, content}', problems).map(([place, entry]): Message => {
    const {role, train, weight} = entry
    const content = contentOf(entry, place, problems)
    checkRole(`${place}.role`, role, problems)
    if (train !== undefined && typeof train !== 'boolean') {
      problems.push(`${place}.train: expected true or false, got ${kindOf(train)}`)
    }
    if (weight !== undefined && weight !== null && weight !== 0 && weight !== 1) {
      problems.push(`${place}.weight: expected 0 or 1, got ${JSON.stringify(weight)}`)
    }

    const own = typeof train === 'boolean' ? train : typeof weight === 'number' ? weight === 1 : null
    return {role: String(role), content, train: own, fields: {...entry, content}}
  })
}

export function shareGptMessages({conversations, system}: JsonObject, problems: string[]): Message[] {
  const turns = entriesOf('conversations', conversations, '{from, value}', problems).map(([place, entry]): Message => {
    const {from = entry.role, value = entry.content} = entry
    const known = typeof from === 'string' && Object.hasOwn(ROLES, from) ? ROLES[from] : null
    if (known === null) {
      const names = Object.keys(ROLES).join(', ')
      problems.push(`${place}.from: expected one of ${names}, got ${JSON.stringify(from) ?? 'nothing'}`)
    }
    const problem = textProblem(`${place}.value`, value, true)
    if (problem !== null) problems.push(problem)
    return message(known ?? 'user', String(value))
  })
  return [...systemMessage(system, problems), ...turns]
}

export function alpacaMessages({input, instruction, output, system}: JsonObject, problems: string[]): Message[] {
  for (const [key, value] of Object.entries({instruction, output})) {
    const problem = textProblem(key, value)
    if (problem !== null) problems.push(problem)
  }
  const hasInput = input !== undefined && input !== null && input !== ''
  const problem = hasInput ? textProblem('input', input) : null
  if (problem !== null) problems.push(problem)
  const question = `${String(instruction)}${hasInput ? `${INPUT_HEADING}${input as string}` : ''}`
  return [...systemMessage(system, problems), message('user', question), message('assistant', String(output))]
}

/** Rows of prompt and completion for a template: a question and its answer. */
export function pairMessages(prompt: string, completion: string): Message[] {
  return [message('user', prompt), message('assistant', completion)]
}

/** A turn that holds nothing else. */
export function message(role: string, content: string): Message {
  return {role, content, train: null, fields: {role, content}}
}

function systemMessage(system: unknown, problems: string[]): Message[] {
  if (system === undefined || system === null || system === '') return []
  const problem = textProblem('system', system)
  if (problem !== null) problems.push(problem)
  return [message('system', system as string)]
}

function entriesOf(
  key: string,
  list: unknown,
  shape: string,
  problems: string[],
): (readonly [place: string, entry: JsonObject])[] {
  if (!Array.isArray(list) || list.length === 0) {
    problems.push(`${key}: expected an array of ${shape}, got ${Array.isArray(list) ? 'an empty one' : kindOf(list)}`)
    return []
  }

  return list.flatMap((entry: unknown, index): [string, JsonObject][] => {
    if (isJsonObject(entry)) return [[`${key}[${index}]`, entry]]
    problems.push(`${key}[${index}]: expected ${shape}, got ${kindOf(entry)}`)
    return []
  })
}

/** Text, or a list of parts that are all text; a message that calls tools may have none. */
function contentOf(entry: JsonObject, place: string, problems: string[]): string {
  const {content} = entry
  if ((content === null || content === undefined) && entry.tool_calls !== undefined) return ''
  if (!Array.isArray(content)) {
    const problem = textProblem(`${place}.content`, content, true)
    if (problem !== null) problems.push(problem)
    return String(content)
  }

  const parts = content.map((part: unknown, index) => {
    if (isJsonObject(part) && part.type === 'text' && typeof part.text === 'string') return part.text
    problems.push(`${place}.content[${index}]: expected {type: "text", text}, got ${JSON.stringify(part).slice(0, 60)}`)
    return ''
  })
  const problem = textProblem(`${place}.content`, parts.join(''), true)
  if (problem !== null) problems.push(problem)
  return parts.join('')
}

function checkRole(place: string, role: unknown, problems: string[]): void {
  if (typeof role !== 'string' || role === '') {
    problems.push(`${place}: expected a name such as user or assistant, got ${kindOf(role)}`)
  }
}
