/**
 * Where turns come from: a person at a terminal, with editing, history and completion, or a pipe with one turn a line.
 * At a terminal Ctrl+C is a key while a line is typed, and a signal while an answer is made.
 */
import {createInterface, type Interface} from 'node:readline'
import {type ReadStream} from 'node:tty'

/** A line, or how there came none. */
export type Typed = {readonly line: string} | 'end' | 'interrupt'

export interface ChatInput {
  next(): Promise<Typed>
  close(): void
}

export type Completer = (line: string) => [string[], string]

/** A line that ends in \ goes on in the next. */
const GOES_ON = /\\$/

/** One turn a line; empty lines are passed over. */
export function pipedInput(input: NodeJS.ReadableStream): ChatInput {
  const lines = createInterface({crlfDelay: Infinity, input})
  const each = lines[Symbol.asyncIterator]()
  return {
    close: () => lines.close(),
    async next() {
      const next: IteratorResult<string, unknown> = await each.next()
      return next.done === true ? 'end' : {line: next.value}
    },
  }
}

/** `input` must be a terminal. */
export function terminalInput(
  input: ReadStream,
  output: NodeJS.WritableStream,
  {completer, prompt}: {readonly prompt: string; readonly completer: Completer},
): ChatInput {
  const lines = createInterface({completer, historySize: 1000, input, output, removeHistoryDuplicates: true})
  const typed: Typed[] = []
  let wake = (): void => {}
  const push = (what: Typed): void => {
    typed.push(what)
    wake()
  }
  lines.on('line', (line) => push({line}))
  lines.on('close', () => push('end'))
  lines.on('SIGINT', () => (lines.line === '' ? push('interrupt') : emptyLine(lines)))
  lines.pause()
  input.setRawMode(false)
  const one = async (shown: string): Promise<Typed> => {
    if (typed.length === 0) {
      input.setRawMode(true)
      lines.setPrompt(shown)
      lines.prompt()
      await new Promise<void>((resolve) => (wake = resolve))
      lines.pause()
      input.setRawMode(false)
    }
    return typed.shift() ?? 'end'
  }
  return {
    close: () => lines.close(),
    async next() {
      let text = ''
      for (let shown = prompt; ; shown = '… ') {
        const what = await one(shown)
        if (typeof what === 'string') return what
        text += what.line
        if (!GOES_ON.test(text)) return {line: text}
        text = text.replace(GOES_ON, '\n')
      }
    },
  }
}

function emptyLine(lines: Interface): void {
  lines.write(null, {ctrl: true, name: 'e'})
  lines.write(null, {ctrl: true, name: 'u'})
}
