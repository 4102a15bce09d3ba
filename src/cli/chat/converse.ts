/**
 * The lines of a chat, one after another. A person who mistypes is told so and goes on; a script that mistypes ends with the
 * error, because nobody would see it.
 */
import {EXIT, type ExitCode, interruption, MambatuneError} from '../../errors.js'
import {describeFailure} from '../failure.js'
import {interruptSignal, type SignalHost} from '../interrupt.js'
import {stoppable} from './answer-interrupt.js'
import {type ChatInput} from './chat-input.js'
import {type ChatScreen} from './chat-screen.js'
import {type ChatSession} from './chat-session.js'

interface Chat {
  readonly session: ChatSession
  readonly screen: ChatScreen
}

/** Gives the exit code if the chat was left by Ctrl+C, else null. */
export async function converse(
  chat: Chat,
  input: ChatInput,
  {host, isTerminal}: {readonly host: SignalHost; readonly isTerminal: boolean},
): Promise<ExitCode | null> {
  return isTerminal ? withPerson(chat, input, host) : withScript(chat, input, host)
}

async function withPerson(chat: Chat, input: ChatInput, host: SignalHost): Promise<ExitCode | null> {
  // Between an answer and the next prompt Ctrl+C is a signal that nobody else listens to, and would end the program.
  const ignore = (): void => {}
  host.on('SIGINT', ignore)
  try {
    return await turns(chat, input, host)
  } finally {
    host.off('SIGINT', ignore)
  }
}

async function turns({screen, session}: Chat, input: ChatInput, host: SignalHost): Promise<ExitCode | null> {
  let isLeaving = false
  while (!session.isOver) {
    const typed = await input.next()
    if (typed === 'end') return null
    if (typed === 'interrupt') {
      if (isLeaving) return EXIT.interrupted
      isLeaving = true
      screen.say('Ctrl+C once more leaves; so do /quit and Ctrl+D.')
      continue
    }
    isLeaving = false
    if (typed.line.trim() === '') continue
    try {
      isLeaving = (await stoppable(host, (signal) => session.handle(typed.line, signal))).wasStopped
    } catch (error) {
      if (!(error instanceof MambatuneError)) throw error
      screen.failure(describeFailure(error, {argv: [], bin: 'mambatune', command: 'chat', parsed: true}))
    }
  }
  return null
}

async function withScript({session}: Chat, input: ChatInput, host: SignalHost): Promise<null> {
  const {dispose, signal} = interruptSignal(host)
  const stopped = new Promise<'end'>((resolve) => signal.addEventListener('abort', () => resolve('end')))
  try {
    while (!session.isOver) {
      const typed = await Promise.race([input.next(), stopped])
      if (typed === 'interrupt' || typed === 'end') break
      if (typed.line.trim() !== '') await session.handle(typed.line, signal)
    }
    if (signal.aborted) throw interruption(signal, 'Stopped while chatting.')
    return null
  } finally {
    dispose()
  }
}
