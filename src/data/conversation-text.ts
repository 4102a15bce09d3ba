/**
 * A conversation as text, and which of its characters each turn has made. A template may do anything with its messages, so nothing is
 * assumed of it: the conversation is rendered up to each border as well, and each of these texts has to be how the whole begins.
 *
 *   turn i of the assistant: from render(messages[..i), with the generation prompt) to render(messages[..i])
 *   any other turn:          from render(messages[..i))                              to render(messages[..i])
 *
 * Where a text is no beginning of the whole (a template that moves, drops or changes earlier turns when later ones come), the mask
 * cannot be told, and the row is refused.
 */
import {type SupervisedPart} from './dataset.js'
import {type JsonObject} from './json-value.js'
import {type MarkedText, type Span} from './marked-text.js'
import {type Message} from './messages.js'
import {type ChatTemplate, inBoundedTime, TemplateProblem} from './template.js'

/** Errors: TemplateProblem. */
export function conversationText(
  messages: readonly Message[],
  besides: JsonObject,
  template: ChatTemplate,
  lossOn: SupervisedPart,
): MarkedText {
  return inBoundedTime(() => {
    const text = template.render(messages, besides, false)
    if (lossOn === 'all') return {text, trained: [{begin: 0, end: text.length}]}
    const trained = messages.flatMap(({role}, index): Span[] => {
      if (!isTrained(messages, index, lossOn)) return []
      return [{begin: beginOf(index, role), end: endOf(index)}]
    })
    return {text, trained}

    function beginOf(index: number, role: string): number {
      if (index === 0 && role !== 'assistant') return 0
      const place = `the beginning of message ${index + 1}`
      return lengthOfBeginning(template.render(messages.slice(0, index), besides, role === 'assistant'), place)
    }

    function endOf(index: number): number {
      if (index === messages.length - 1) return text.length
      const place = `the end of message ${index + 1}`
      return lengthOfBeginning(template.render(messages.slice(0, index + 1), besides, false), place)
    }

    function lengthOfBeginning(beginning: string, place: string): number {
      if (text.startsWith(beginning)) return beginning.length
      const same = commonLength(text, beginning)
      throw new TemplateProblem(
        `${place} in the text of template ${template.name} cannot be told: up to there it writes ${excerpt(beginning, same)} ` +
          `after ${same} characters, and with all messages ${excerpt(text, same)}`,
      )
    }
  })
}

function isTrained(messages: readonly Message[], index: number, lossOn: SupervisedPart): boolean {
  const {role, train} = messages[index]
  if (train !== null) return train
  if (lossOn === 'last') return index === messages.map(({role: other}) => other).lastIndexOf('assistant')
  return typeof lossOn === 'string' ? role === 'assistant' : lossOn.includes(role)
}

function commonLength(one: string, other: string): number {
  let length = 0
  while (length < one.length && length < other.length && one[length] === other[length]) length++
  return length
}

function excerpt(text: string, from: number): string {
  return from >= text.length ? 'nothing' : JSON.stringify(text.slice(from, from + 24))
}
