/**
 * A conversation as the text that the model reads. With a chat template, the text is what the template makes of the messages, as
 * in training; without one, what is said is continued as it is:
 *
 *   system \n  turn answer END  turn answer END …  turn        END: the end token if the answer had it, else \n
 */
import {UsageError} from '../errors.js'
import {message, type Message} from './messages.js'
import {type ChatTemplate, inBoundedTime, TemplateProblem} from './template.js'

export interface SaidTurn {
  readonly user: string
  readonly answer: string
  /** Whether the model ended the answer itself */
  readonly isWhole: boolean
}

export interface ConversationTemplate {
  readonly kind: 'chat' | 'plain'
  /** What it is called, for messages */
  readonly name: string
  /** Text that stands behind every answer, and so ends it; null: only the end token does. */
  readonly endOfAnswer: string | null
  /** What the model reads before it answers `user`. Errors: UsageError from the template. */
  prompt(system: string | null, turns: readonly SaidTurn[], user: string): string
}

/** Continues what is said; `endToken` is the text of the end token. */
export function plainTemplate(endToken: string | null): ConversationTemplate {
  return {
    endOfAnswer: null,
    kind: 'plain',
    name: 'continue',
    prompt(system, turns, user) {
      const said = turns.map(({answer, isWhole, user: turn}) => turn + answer + ((isWhole ? endToken : null) ?? '\n'))
      return [system === null ? '' : `${system}\n`, ...said, user].join('')
    },
  }
}

/** What a chat template makes of the messages. */
export function templateOfTurns(template: ChatTemplate): ConversationTemplate {
  const render = (messages: readonly Message[], asks: boolean): string => {
    try {
      return inBoundedTime(() => template.render(messages, {}, asks))
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error
      throw new UsageError(`The conversation cannot be written: ${error.message}.`, {
        cause: error,
        hint: 'Leave out what it refuses (a system text, perhaps), or add --template continue.',
      })
    }
  }
  return {
    endOfAnswer: endOfAnswer(render(QUESTION_AND_ANSWER, false), template.context.eosToken),
    kind: 'chat',
    name: template.name,
    prompt: (system, turns, user) => render(messagesOf(system, turns, user), true),
  }
}

function messagesOf(system: string | null, turns: readonly SaidTurn[], user: string): Message[] {
  const said = turns.flatMap(({answer, user: turn}) => [message('user', turn), message('assistant', answer)])
  return [...(system === null ? [] : [message('system', system)]), ...said, message('user', user)]
}

const ANSWER = 'mambatune answers'
const QUESTION_AND_ANSWER = [message('user', 'Question'), message('assistant', ANSWER)]

/** What the template writes behind an answer, up to the end of that line, or to the end token, which ends it by itself. */
function endOfAnswer(text: string, endToken: string): string | null {
  const at = text.lastIndexOf(ANSWER)
  const [line] = at < 0 ? [''] : text.slice(at + ANSWER.length).split('\n')
  const [end] = endToken === '' ? [line] : line.split(endToken)
  return end === '' ? null : end
}
