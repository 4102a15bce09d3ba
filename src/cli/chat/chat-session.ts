/** One chat from its first line to its last: turns go to the conversation, lines with a slash to the commands. */
import {UsageError} from '../../errors.js'
import {nearestName} from '../../nearest-name.js'
import {type Conversation} from '../../peft/chat/conversation.js'
import {saveConversation} from '../../peft/chat/conversation-file.js'
import {type Speakers} from '../../peft/chat/speakers.js'
import {type Speaker, type Voice} from '../../peft/chat/voice.js'
import {bytesOfState} from '../../model/state-values.js'
import {type ChatScreen} from './chat-screen.js'
import {changed, type ChatSettings, SETTING_NAMES, settingsText} from './chat-settings.js'

export interface SessionOptions {
  readonly conversation: Conversation
  readonly speakers: Speakers
  readonly template: 'chat' | 'plain'
  readonly screen: ChatScreen
  readonly settings: ChatSettings
  readonly stop: readonly string[]
}

interface Command {
  readonly name: string
  readonly takes: string
  readonly does: string
  readonly run: (text: string, signal: AbortSignal) => Promise<void> | void
}

export class ChatSession {
  /** Whether /quit was typed. */
  isOver = false
  private settings: ChatSettings
  private readonly commands: readonly Command[] = [
    {does: 'this list', name: 'help', run: () => this.help(), takes: ''},
    {does: 'begin a new conversation', name: 'new', run: () => this.restart(), takes: ''},
    {does: 'text that stands before everything', name: 'system', run: (text) => this.system(text), takes: '[TEXT|off]'},
    {does: 'show or change how tokens are chosen', name: 'set', run: (text) => this.set(text), takes: '[NAME VALUE]'},
    {does: 'take back the last turn', name: 'undo', run: () => this.undo(), takes: ''},
    {does: 'answer the last turn anew', name: 'retry', run: (_, signal) => this.retry(signal), takes: ''},
    {
      does: 'write state and transcript; chat --resume FILE goes on',
      name: 'save',
      run: (text) => this.save(text),
      takes: 'FILE',
    },
    {
      does: 'show the adapters, or let another one answer',
      name: 'adapter',
      run: (text) => this.adapter(text),
      takes: '[NAME]',
    },
    {does: 'leave', name: 'quit', run: () => void (this.isOver = true), takes: ''},
  ]

  constructor(private readonly options: SessionOptions) {
    this.settings = options.settings
  }

  /** One line: a turn, or a command. Errors: UsageError for what is not understood; those of the model and of files. */
  async handle(line: string, signal: AbortSignal): Promise<void> {
    if (line.startsWith('//')) return this.say(line.slice(1), signal)
    if (!line.startsWith('/')) return this.say(line, signal)
    const [, name = '', text = ''] = /^\/(\S*)\s*(.*)$/s.exec(line.trim()) ?? []
    const command = this.commands.find((one) => one.name === name)
    if (command) return command.run(text, signal)
    const nearest = nearestName(
      name,
      this.commands.map((one) => one.name),
    )
    const question = nearest === undefined ? '' : ` Did you mean /${nearest}?`
    throw new UsageError(`/${name} is not a command.${question}`, {
      hint: '/help, for all of them; // at the start of a line stands for a / that is part of it',
    })
  }

  /** What the Tab key offers for a line. */
  complete(line: string): [string[], string] {
    const argument = /^\/(set|adapter) (\S*)$/.exec(line)
    if (argument) {
      const [, name, begun] = argument
      const all = name === 'set' ? SETTING_NAMES : this.options.speakers.all.map((speaker) => speaker.name)
      return [all.filter((one) => one.startsWith(begun)), begun]
    }
    const names = this.commands.map((command) => `/${command.name}`)
    return line.startsWith('/') ? [names.filter((name) => name.startsWith(line)), line] : [[], line]
  }

  private async say(text: string, signal: AbortSignal): Promise<void> {
    const {conversation, screen, stop} = this.options
    const {max_new_tokens: maxNewTokens, repetition_penalty: repetitionPenalty, seed, temperature} = this.settings
    const {top_k: topK, top_p: topP} = this.settings
    const sampling = {maxNewTokens, repetitionPenalty, seed, signal, stop, temperature, topK, topP}
    let began = 0
    await conversation.say(text, sampling, {
      begins(voice) {
        if (conversation.voices.length > 1) screen.heading(voice.name)
        began = performance.now()
      },
      ends(voice, {end, ids}) {
        const {ids: read, state} = voice.mark
        const stateBytes = bytesOfState(state ?? [])
        const seconds = (performance.now() - began) / 1000
        screen.endAnswer({end, read: read.length, seconds, stateBytes, tokens: ids.length})
      },
      says: (piece) => screen.piece(piece),
    })
  }

  private help(): void {
    const rows = this.commands.map(({does, name, takes}) => `${`/${name} ${takes}`.padEnd(22)}${does}`)
    this.options.screen.say(
      [...rows, 'Ctrl+C stops an answer, twice leaves. A line that ends in \\ goes on in the next.'].join('\n'),
    )
  }

  private restart(): void {
    this.options.conversation.restart()
    this.options.screen.say('A new conversation begins.')
  }

  private system(text: string): void {
    const {conversation, screen} = this.options
    if (text !== '') conversation.system = text === 'off' ? null : text
    screen.say(conversation.system === null ? 'There is no system text.' : `System text: ${conversation.system}`)
  }

  private set(text: string): void {
    const [name, value = ''] = text.split(/[\s=]+/)
    if (text !== '') this.settings = changed(this.settings, name, value)
    this.options.screen.say(text === '' ? settingsText(this.settings) : `${name} is ${value}`)
  }

  private undo(): void {
    const turn = this.options.conversation.undo()
    if (!turn) throw new UsageError('There is no turn to take back.')
    this.options.screen.say(`Taken back: ${turn.user}`)
  }

  private async retry(signal: AbortSignal): Promise<void> {
    const turn = this.options.conversation.undo()
    if (!turn) throw new UsageError('There is no turn to answer anew.')
    if (this.settings.temperature === 0) {
      this.options.screen.say('At temperature 0 the answer stays the same: /set temperature 0.8 makes it vary.')
    }
    await this.say(turn.user, signal)
  }

  private async save(file: string): Promise<void> {
    if (file === '') throw new UsageError('/save needs the name of a file.', {hint: '/save talk.safetensors'})
    const {conversation, screen, speakers, template} = this.options
    const {attempts, system, turns, voices} = conversation
    await saveConversation(file, {
      attempts,
      model: speakers.fingerprint,
      system,
      template,
      turns,
      voices: voices.map(({digest, mark, name}) => ({digest, name, ...mark})),
    })
    screen.say(`Saved ${turns.length} turns to ${file}; chat --resume ${file} goes on from there.`)
  }

  private adapter(name: string): void {
    const {conversation, screen, speakers} = this.options
    const [voice] = conversation.voices
    if (name !== '') voice.speakAs(this.speaker(name, voice))
    const rows = speakers.all.map((one) => `${one.name === voice.name ? '*' : ' '} ${one.name}`)
    screen.say(rows.join('\n'))
    if (name !== '' && conversation.turns.length > 0) screen.say('It reads the conversation again at the next turn.')
  }

  private speaker(name: string, {name: now}: Voice): Speaker {
    const {all} = this.options.speakers
    const found = all.find((one) => one.name === name)
    if (found) return found
    const nearest = nearestName(
      name,
      all.map((one) => one.name),
    )
    const question = nearest === undefined ? '' : ` Did you mean ${nearest}?`
    throw new UsageError(`${name} is not an adapter of this chat; ${now} goes on answering.${question}`, {
      hint: 'Name each adapter when the chat begins: --adapter DIR --adapter DIR',
    })
  }
}
