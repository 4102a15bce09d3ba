/** A conversation: its turns, what stands before them, and the voices that answer, each with a history of its own answers. */
import {type ConversationTemplate, type SaidTurn} from '../../data/conversation-template.js'
import {type Answer, type AnswerOptions, type Mark, SILENT, type Voice} from './voice.js'

/** What was said, and how it was answered by each voice. */
export interface Turn {
  readonly user: string
  readonly answers: readonly Pick<Answer, 'end' | 'text'>[]
}

export type SayOptions = Omit<AnswerOptions, 'attempt' | 'onText'>

/** Hears what a voice says, as it says it. */
export interface Listener {
  readonly begins: (voice: Voice) => void
  readonly says: (piece: string) => void
  readonly ends: (voice: Voice, answer: Answer) => void
}

export class Conversation {
  private said: Turn[] = []
  private asked = 0
  /** Stands before the first turn. */
  system: string | null = null

  constructor(
    readonly voices: readonly Voice[],
    private readonly template: ConversationTemplate,
  ) {}

  get turns(): readonly Turn[] {
    return this.said
  }

  /** Answers asked for so far; the next one is sampled with this number. */
  get attempts(): number {
    return this.asked
  }

  /** Every voice answers in its turn, until `signal` stops them. What was said until then is kept. */
  async say(user: string, options: SayOptions, listener: Listener): Promise<Turn> {
    const answers: Answer[] = []
    try {
      for (const voice of this.voices) answers.push(await this.ask(voice, user, options, listener))
    } catch (error) {
      for (const voice of this.voices.slice(0, answers.length)) voice.undo()
      throw error
    }
    this.asked++
    const turn = {answers: answers.map(({end, text}) => ({end, text})), user}
    this.said.push(turn)
    return turn
  }

  private async ask(voice: Voice, user: string, options: SayOptions, {begins, ends, says}: Listener): Promise<Answer> {
    if (options.signal.aborted) {
      voice.skip()
      return SILENT
    }
    const {endOfAnswer, kind} = this.template
    const stop = [...options.stop, ...(endOfAnswer === null ? [] : [endOfAnswer])]
    begins(voice)
    const prompt = this.template.prompt(this.system, this.turnsOf(this.voices.indexOf(voice)), user)
    const answer = await voice.answer(prompt, kind === 'plain', {...options, attempt: this.asked, onText: says, stop})
    ends(voice, answer)
    return answer
  }

  /** Takes back the last turn and gives it; undefined if there is none. */
  undo(): Turn | undefined {
    const turn = this.said.pop()
    if (turn) for (const voice of this.voices) voice.undo()
    return turn
  }

  /** Forgets the turns. */
  restart(): void {
    this.said = []
    for (const voice of this.voices) voice.restart()
  }

  /** Goes on with turns that were had before; `marks` are what the voices had read, where that is known. */
  restore(
    {
      attempts,
      system,
      turns,
    }: {readonly turns: readonly Turn[]; readonly attempts: number; readonly system: string | null},
    marks: readonly (Mark | null)[],
  ): void {
    this.said = [...turns]
    this.asked = attempts
    this.system = system
    for (const [index, voice] of this.voices.entries()) voice.restart(turns.length, marks[index] ?? null)
  }

  private turnsOf(voice: number): SaidTurn[] {
    return this.said.map(({answers, user}) => {
      const {end, text} = answers[voice] ?? answers[0] ?? SILENT
      return {answer: text, isWhole: end === 'end', user}
    })
  }
}
