/**
 * A conversation as the text that the model reads. With the chat template of its tokenizer (a Jinja program, run as
 * transformers does), the text is what the template makes of the messages; without one, what is said is continued as it is:
 *
 *   system \n  turn answer END  turn answer END …  turn        END: the end token if the answer had it, else \n
 */
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {UsageError} from '../errors.js'
import {isJsonObject, type JsonObject} from './json-value.js'
import {readTokenizerFiles} from './tokenizer-files.js'

export interface SaidTurn {
  readonly user: string
  readonly answer: string
  /** Whether the model ended the answer itself */
  readonly isWhole: boolean
}

export interface ConversationTemplate {
  readonly kind: 'chat' | 'plain'
  /** Text that stands behind every answer, and so ends it; null: only the end token does. */
  readonly endOfAnswer: string | null
  /** What the model reads before it answers `user`. Errors: UsageError from the template. */
  prompt(system: string | null, turns: readonly SaidTurn[], user: string): string
}

interface Message {
  readonly role: 'assistant' | 'system' | 'user'
  readonly content: string
}

/** Continues what is said; `endToken` is the text of the end token. */
export function plainTemplate(endToken: string | null): ConversationTemplate {
  return {
    endOfAnswer: null,
    kind: 'plain',
    prompt(system, turns, user) {
      const said = turns.map(({answer, isWhole, user: turn}) => turn + answer + ((isWhole ? endToken : null) ?? '\n'))
      return [system === null ? '' : `${system}\n`, ...said, user].join('')
    },
  }
}

/** The chat template beside a tokenizer; null if it has none. */
export async function readChatTemplate(directory: string): Promise<ConversationTemplate | null> {
  const {config} = await readTokenizerFiles(directory)
  const source = (await readFile(join(directory, 'chat_template.jinja'), 'utf8').catch(() => null)) ?? inConfig(config)
  if (source === null) return null
  const {Template} = await import('@huggingface/jinja')
  const render = (messages: readonly Message[], asks: boolean): string => {
    try {
      const tokens = {bos_token: tokenText(config['bos_token']), eos_token: tokenText(config['eos_token'])}
      return new Template(source).render({...tokens, add_generation_prompt: asks, messages})
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new UsageError(`The chat template of ${directory} refuses the conversation: ${reason}.`, {
        cause: error,
        hint: 'Leave out what it refuses (a system text, perhaps), or add --template plain.',
      })
    }
  }
  return {
    endOfAnswer: endOfAnswer((messages) => render(messages, false)),
    kind: 'chat',
    prompt: (system, turns, user) => render(messagesOf(system, turns, user), true),
  }
}

function messagesOf(system: string | null, turns: readonly SaidTurn[], user: string): Message[] {
  const said = turns.flatMap(({answer, user: turn}): Message[] => [
    {content: turn, role: 'user'},
    {content: answer, role: 'assistant'},
  ])
  const first: Message[] = system === null ? [] : [{content: system, role: 'system'}]
  return [...first, ...said, {content: user, role: 'user'}]
}

/** What the template writes behind an answer, up to the end of that line. */
function endOfAnswer(render: (messages: readonly Message[]) => string): string | null {
  const answer = 'mambatune answers'
  const text = render([
    {content: 'Question', role: 'user'},
    {content: answer, role: 'assistant'},
  ])
  const at = text.lastIndexOf(answer)
  const [end] = at < 0 ? [''] : text.slice(at + answer.length).split('\n')
  return end === '' ? null : end
}

/** One template, or a list of named ones. */
function inConfig({chat_template: template}: JsonObject): string | null {
  if (typeof template === 'string') return template
  if (!Array.isArray(template)) return null
  const entry: unknown = template.find((one) => isJsonObject(one) && one['name'] === 'default')
  return isJsonObject(entry) && typeof entry['template'] === 'string' ? entry['template'] : null
}

function tokenText(token: unknown): string {
  if (typeof token === 'string') return token
  return isJsonObject(token) && typeof token['content'] === 'string' ? token['content'] : ''
}
