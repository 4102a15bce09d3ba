/** Text → continued text: tokenising, decoding and ends of text around the model's decoding. */
import {setImmediate} from 'node:timers/promises'
import {RandomStream} from '../data/random.js'
import {StreamDecoder, type Tokenizer} from '../data/tokenizer.js'
import {InterruptedError, UsageError} from '../errors.js'
import {checkIds} from '../model/check-ids.js'
import {decode} from '../model/decoding.js'
import {type Sampling} from '../model/sampling.js'
import {type AttachedModel} from './attached-model.js'
import {StopTexts} from './stop-texts.js'

export interface GenerateOptions extends Sampling {
  readonly maxNewTokens: number
  readonly seed: number
  /** Texts that end the generation; they are not part of it. */
  readonly stop: readonly string[]
  readonly signal?: AbortSignal
  /** Hears new text as soon as it is certain. */
  readonly onText?: (piece: string) => void
}

/** Names are those of `generate --json`. */
export interface Generation {
  /** The new text, without the prompt and without the end token */
  readonly text: string
  readonly prompt_ids: readonly number[]
  /** All new tokens, the end token included */
  readonly generated_ids: readonly number[]
}

/** Errors: UsageError for an empty prompt, MismatchError for a tokenizer of another model, InterruptedError. */
export async function generate(
  {model, sites}: Pick<AttachedModel, 'model' | 'sites'>,
  tokenizer: Tokenizer,
  prompt: string,
  {maxNewTokens, onText = () => {}, seed, signal, stop, ...sampling}: GenerateOptions,
): Promise<Generation> {
  const promptIds = tokenizer.encode(prompt)
  if (promptIds.length === 0) {
    throw new UsageError('The prompt is empty.', {hint: 'A Mamba model continues a text: give it at least one token.'})
  }
  checkIds(promptIds, model.config.vocabulary)
  const decoder = new StreamDecoder(tokenizer)
  const stops = new StopTexts(stop)
  const generated: number[] = []
  let text = ''
  const emit = (piece: string): void => {
    text += piece
    if (piece !== '') onText(piece)
  }
  const decoding = {...sampling, eosId: tokenizer.eosId, maxNewTokens}
  for await (const token of decode(model, sites, promptIds, decoding, new RandomStream(seed, 'generate'))) {
    await setImmediate() // let the terminal repaint and signals arrive
    if (signal?.aborted) throw new InterruptedError('Stopped while generating.')
    generated.push(token)
    if (token !== tokenizer.eosId) emit(stops.push(decoder.push(token)))
    if (stops.found) break
  }
  if (!stops.found) emit(stops.push(decoder.end()))
  emit(stops.end())
  return {generated_ids: generated, prompt_ids: promptIds, text}
}
