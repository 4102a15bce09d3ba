/**
 * One side that answers: a model with an adapter, and what it has read. A Mamba's whole history is one state, so going back is
 * taking an older state; where the text does not go on from a state that is kept, it is read again.
 */
import {setImmediate} from 'node:timers/promises'
import {RandomStream} from '../../data/random.js'
import {StreamDecoder, type Tokenizer} from '../../data/tokenizer.js'
import {UsageError} from '../../errors.js'
import {checkIds} from '../../model/check-ids.js'
import {type MambaConfig} from '../../model/config.js'
import {decode} from '../../model/decoding.js'
import {type LanguageModel} from '../../model/language-model.js'
import {type Sampling} from '../../model/sampling.js'
import {type Sites} from '../../model/sites.js'
import {type StateValues, stateOfValues, valuesOfState} from '../../model/state-values.js'
import {StopTexts} from '../stop-texts.js'

/** States kept for going back; what lies further back is read again. */
const KEPT = 8

/** What a voice has read at the end of a turn. */
export interface Mark {
  readonly text: string
  /** The text as it was read */
  readonly ids: readonly number[]
  /** How many of the last ids the state has not seen yet */
  readonly unread: number
  /** null: of the beginning, or no longer kept */
  readonly state: StateValues | null
}

const BEGINNING: Mark = {ids: [], state: null, text: '', unread: 0}

export interface Speaker {
  /** What the answers are called */
  readonly name: string
  /** Of the adapter; null for the bare model */
  readonly digest: string | null
  /** Of the model as the adapter knows it */
  readonly config: MambaConfig
  readonly sites: Sites
}

export interface AnswerOptions extends Sampling {
  readonly maxNewTokens: number
  readonly seed: number
  /** Number of the answer in the conversation; another one samples another text. */
  readonly attempt: number
  readonly stop: readonly string[]
  readonly signal: AbortSignal
  readonly onText: (piece: string) => void
}

export interface Answer {
  readonly text: string
  readonly ids: readonly number[]
  /** How it came to its end */
  readonly end: 'end' | 'interrupted' | 'length'
}

/** Of one who was stopped before the first word. */
export const SILENT: Answer = {end: 'interrupted', ids: [], text: ''}

export class Voice {
  /** After each turn; the first is the beginning. */
  private marks: Mark[] = [BEGINNING]

  constructor(
    private readonly model: LanguageModel,
    private readonly tokenizer: Tokenizer,
    private speaker: Speaker,
  ) {}

  get name(): string {
    return this.speaker.name
  }

  get digest(): string | null {
    return this.speaker.digest
  }

  /** What it has read by now. */
  get mark(): Mark {
    return this.marks.at(-1) ?? BEGINNING
  }

  /** Another adapter answers from now on; what was read is read again by it. */
  speakAs(speaker: Speaker): void {
    this.speaker = speaker
    this.marks = this.marks.map((mark) => ({...mark, state: null}))
  }

  /** Takes back the last turn. */
  undo(): void {
    if (this.marks.length > 1) this.marks.pop()
  }

  /** A turn in which it did not speak. */
  skip(): void {
    this.marks.push(this.mark)
  }

  /** Forgets everything; `marks` are those of a conversation of as many turns. */
  restart(turns = 0, last: Mark | null = null): void {
    this.marks = Array.from({length: turns + 1}, () => BEGINNING)
    if (last) this.marks[turns] = last
  }

  /** Reads the text as far as it has not, and answers. `isPlain`: special tokens are not written in the text. */
  async answer(prompt: string, isPlain: boolean, options: AnswerOptions): Promise<Answer> {
    const from = this.marks.findLast(({text}) => prompt.startsWith(text)) ?? BEGINNING
    const rest = prompt.slice(from.text.length)
    const fresh = rest === '' ? [] : this.tokenizer.encode(rest, isPlain && from.ids.length === 0)
    checkIds(fresh, this.model.config.vocabulary)
    const known = from.state ? from.ids.length - from.unread : 0
    const ids = [...from.ids.slice(known), ...fresh]
    if (ids.length === 0) {
      throw new UsageError('There is nothing to answer.', {hint: 'A Mamba model continues a text: type some.'})
    }
    const before = from.ids.slice(0, known)
    const spoken = await this.speak(ids, before, from.state, options).catch((error: unknown) => {
      if (error !== options.signal.reason) throw error
    })
    if (!spoken) {
      this.skip()
      return SILENT
    }
    this.push(markAfter({before, ids, prompt}, spoken))
    return spoken.answer
  }

  private async speak(
    ids: readonly number[],
    before: readonly number[],
    start: StateValues | null,
    {attempt, maxNewTokens, onText, seed, signal, stop, ...sampling}: AnswerOptions,
  ): Promise<Spoken> {
    const {tokenizer} = this
    const [decoder, stops] = [new StreamDecoder(tokenizer), new StopTexts(stop)]
    const made: number[] = []
    const said: Said = {raw: '', rawBefore: '', text: ''}
    const emit = (piece: string): void => {
      said.text += piece
      if (piece !== '') onText(piece)
    }
    let state: StateValues | null = null
    const keep = async (last: Parameters<typeof valuesOfState>[0]): Promise<void> => {
      state = await valuesOfState(last)
    }
    const carried = {ids: before, keep, signal, state: start && stateOfValues(start)}
    const decoding = {...sampling, eosId: tokenizer.eosId, maxNewTokens}
    const random = new RandomStream(seed, 'chat', attempt)
    for await (const id of decode(
      {...this.model, config: this.speaker.config},
      this.speaker.sites,
      ids,
      decoding,
      random,
      carried,
    )) {
      await setImmediate() // let the terminal repaint and signals arrive
      made.push(id)
      said.rawBefore = said.raw
      const piece = id === tokenizer.eosId ? '' : decoder.push(id)
      said.raw += piece
      emit(stops.push(piece))
      if (stops.found || signal.aborted) break
    }
    const isEnded = stops.found || made.at(-1) === tokenizer.eosId
    if (!stops.found) {
      const last = decoder.end()
      said.raw += last
      emit(stops.push(last))
    }
    emit(stops.end())
    const end = isEnded ? 'end' : signal.aborted ? 'interrupted' : 'length'
    return {answer: {end, ids: made, text: said.text}, said, state}
  }

  private push(mark: Mark): void {
    this.marks.push(mark)
    const old = this.marks.length - 1 - KEPT
    if (old >= 0) this.marks[old] = {...this.marks[old], state: null}
  }
}

/** Text as it came: `rawBefore` is without the last token, `text` without what ended it. */
interface Said {
  raw: string
  rawBefore: string
  text: string
}

interface Spoken {
  readonly answer: Answer
  readonly said: Said
  readonly state: StateValues | null
}

/**
 * The state has seen every new token but the last. If that one ended the answer it is left out: the template writes its own
 * end. Otherwise it is to be read before what comes next.
 */
function markAfter(
  {before, ids, prompt}: {readonly before: readonly number[]; readonly ids: readonly number[]; readonly prompt: string},
  {answer, said, state}: Spoken,
): Mark {
  const isEnded = answer.end === 'end'
  const made = isEnded ? answer.ids.slice(0, -1) : answer.ids
  return {
    ids: [...before, ...ids, ...made],
    state,
    text: prompt + (isEnded ? said.rawBefore : said.raw),
    unread: isEnded ? 0 : Math.min(1, made.length),
  }
}
