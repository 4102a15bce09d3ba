/** Everything a chat needs before its first line: model, adapters, tokenizer, template, and the conversation that it goes on with. */
import {type ConversationTemplate, plainTemplate, templateOfTurns} from '../../data/conversation-template.js'
import {ChatTemplate} from '../../data/template.js'
import {namedTemplate} from '../../data/template-choice.js'
import {loadTokenizer, type Tokenizer} from '../../data/tokenizer.js'
import {MismatchError, UsageError} from '../../errors.js'
import {Conversation} from '../../peft/chat/conversation.js'
import {readConversation, type SavedConversation} from '../../peft/chat/conversation-file.js'
import {BASE, loadSpeakers, type Speakers} from '../../peft/chat/speakers.js'
import {type Mark, type Speaker, Voice} from '../../peft/chat/voice.js'
import {createStyle, hasColour, signsFor} from '../terminal.js'
import {ChatScreen} from './chat-screen.js'
import {ChatSession} from './chat-session.js'
import {type ChatSettings} from './chat-settings.js'

export interface ChatOptions {
  readonly name: string
  readonly directory: string
  /** Directory of the tokenizer */
  readonly tokenizer: string
  readonly adapters: readonly string[]
  readonly anyBase: boolean
  readonly compare: string | null
  readonly resume: string | null
  /** auto, continue, or a name as data.template has it */
  readonly template: string
  readonly system: string | null
  readonly stop: readonly string[]
  readonly settings: ChatSettings
  readonly isTerminal: boolean
  readonly write: (text: string) => void
}

/** Names are those of `chat --json`. */
export interface ChatReport {
  readonly model: string
  readonly template: 'chat' | 'plain'
  readonly system: string | null
  readonly turns: readonly {
    readonly user: string
    readonly answers: readonly {readonly name: string; readonly text: string; readonly end: string}[]
  }[]
}

export interface StartedChat {
  readonly session: ChatSession
  readonly screen: ChatScreen
  /** What to say before the first line */
  readonly opening: readonly string[]
  report(): ChatReport
  dispose(): void
}

export async function startChat(options: ChatOptions): Promise<StartedChat> {
  const saved = options.resume === null ? null : await readConversation(options.resume)
  const tokenizer = await loadTokenizer(options.tokenizer)
  const template = await templateFor(options.template, tokenizer)
  const speakers = await loadSpeakers({
    adapters: [
      ...new Set([...options.adapters, ...((options.compare ?? BASE) === BASE ? [] : [options.compare ?? BASE])]),
    ],
    anyBase: options.anyBase,
    model: options.directory,
  })
  try {
    const voices = speaking(options, speakers).map((speaker) => new Voice(speakers.model, tokenizer, speaker))
    const conversation = new Conversation(voices, template)
    if (saved) goOn(saved, conversation, {options, speakers, template})
    if (options.system !== null) conversation.system = options.system
    const {env, platform, stderr} = process
    const screen = new ChatScreen({
      isTerminal: options.isTerminal,
      note: (line) => void stderr.write(`${line}\n`),
      signs: signsFor(env, platform),
      style: createStyle(hasColour(stderr, env)),
      write: options.write,
    })
    const {settings, stop} = options
    const session = new ChatSession({conversation, screen, settings, speakers, stop, template: template.kind})
    return {
      dispose: () => speakers.dispose(),
      opening: openingOf(options, conversation, template),
      report: () => reportOf(options.name, conversation, template),
      screen,
      session,
    }
  } catch (error) {
    speakers.dispose()
    throw error
  }
}

/** Errors: FileError for a file that is not there, DataError for one that is no template, UsageError. */
async function templateFor(name: string, tokenizer: Tokenizer): Promise<ConversationTemplate> {
  const {chat, eosId} = tokenizer
  const own = chat?.template ?? null
  if (name === 'continue' || (name === 'auto' && own === null)) {
    return plainTemplate(eosId === null ? null : tokenizer.decode([eosId]))
  }
  const isOwn = name === 'auto' || name === 'tokenizer'
  const source = isOwn ? own : await namedTemplate({template: name})
  if (source === null) {
    throw new UsageError('--template is tokenizer, but the tokenizer has no chat template.', {
      hint: '--template continue, or the one that the adapter was trained with: chatml, alpaca, plain, or a file',
    })
  }
  return templateOfTurns(
    new ChatTemplate(isOwn ? 'of the tokenizer' : name, source, chat ?? {bosToken: '', eosToken: ''}),
  )
}

/** Who answers: the first adapter, or the bare model, and whom it is compared with. */
function speaking({adapters, compare}: ChatOptions, {all: [base, ...adapted]}: Speakers): Speaker[] {
  const first = adapted.find(({name}) => name === adapters[0]) ?? base
  if (compare === null) return [first]
  const other = compare === BASE ? base : adapted.find(({name}) => name === compare)
  if (!other || other === first) throw new UsageError(`--compare ${compare} would compare it with itself.`)
  return [first, other]
}

/** A voice goes on from the saved state of the same adapter; any other reads the transcript. */
function goOn(
  saved: SavedConversation,
  conversation: Conversation,
  {options, speakers, template}: {options: ChatOptions; speakers: Speakers; template: ConversationTemplate},
): void {
  if (saved.model !== speakers.fingerprint) {
    throw new MismatchError(`The conversation ${options.resume ?? ''} was had with another model.`, {
      faults: [
        {message: saved.model, where: 'conversation'},
        {message: speakers.fingerprint, where: options.name},
      ],
      hint: 'Name the model that it was had with.',
    })
  }
  const order = conversation.voices.map(({digest}) => saved.voices.findIndex((voice) => voice.digest === digest))
  const marks = order.map((index): Mark | null =>
    saved.template === template.kind ? (saved.voices[index] ?? null) : null,
  )
  const turns = saved.turns.map(({answers, user}) => ({
    answers: order.map((index) => answers[Math.max(0, index)]),
    user,
  }))
  conversation.restore({...saved, turns}, marks)
}

function openingOf(options: ChatOptions, {turns, voices}: Conversation, {kind, name}: ConversationTemplate): string[] {
  const names = voices.map(({name}) => name).join(' and ')
  const how = kind === 'chat' ? `with the template ${name}` : 'continuing what is typed (no template)'
  const before = turns.length === 0 ? [] : [`${turns.length} turns from ${options.resume ?? ''}`]
  const help = options.isTerminal ? ['/help lists the commands; Ctrl+C stops an answer, twice leaves'] : []
  const verb = voices.length > 1 ? 'answer' : 'answers'
  return [`${names} ${verb}, ${how}`, ...before, ...help]
}

function reportOf(model: string, {system, turns, voices}: Conversation, {kind}: ConversationTemplate): ChatReport {
  return {
    model,
    system,
    template: kind,
    turns: turns.map(({answers, user}) => ({
      answers: answers.map(({end, text}, index) => ({end, name: voices[index].name, text})),
      user,
    })),
  }
}
