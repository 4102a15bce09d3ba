/**
 * Text to token ids and back, as the Hugging Face tokenizers library does it, through its JavaScript edition. Special tokens written in
 * the text are recognised, the model's template is applied (a BOS where it has one), and decoding shows every token and cleans up nothing.
 */
import {createHash} from 'node:crypto'

import * as library from '@huggingface/tokenizers'

import {FileError} from '../errors.js'
import {type JsonObject} from './json-value.js'
import {readTokenizerFiles, type TokenizerFiles} from './tokenizer-files.js'

export interface Tokenizer {
  /** `isWhole: false` is for text that goes on from other text, or that has its special tokens written in it: none are added. */
  encode(text: string, isWhole?: boolean): number[]
  decode(ids: readonly number[]): string
  readonly eosId: number | null
  /** The highest id plus one. */
  readonly vocabularySize: number
  /** What templates of conversations need; absent where there is nothing of the kind */
  readonly chat?: ChatTexts
  /** Tells tokenizers apart: of the content of its files; absent where that is not known */
  readonly fingerprint?: string
}

export interface ChatTexts {
  /** The tokenizer's own chat template, in Jinja */
  readonly template: string | null
  /** '' where there is none */
  readonly bosToken: string
  readonly eosToken: string
}

const asWritten = {clean_up_tokenization_spaces: false, skip_special_tokens: false}

/** What is used of the library. Its own declarations import one another without file extensions, which Node's resolution rejects. */
interface HubTokenizer {
  encode(text: string, options: {add_special_tokens: boolean}): {readonly ids: number[]}
  decode(ids: readonly number[], options: typeof asWritten): string
  id_to_token(id: number): string | undefined
}
const HubTokenizer = library.Tokenizer as unknown as new (tokenizer: JsonObject, config: JsonObject) => HubTokenizer

export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(modelDirectory)
  const hub = makeHubTokenizer(files)
  let highest = -1
  for (const id of files.vocabulary.values()) highest = Math.max(highest, id)
  return {
    encode: (text, isWhole = true) => hub.encode(text, {add_special_tokens: isWhole}).ids,
    decode(ids) {
      const known = ids.filter((id) => hub.id_to_token(id) !== undefined)
      return known.length === 0 ? '' : hub.decode(known, asWritten)
    },
    eosId: files.eosToken === null ? null : (files.vocabulary.get(files.eosToken) ?? null),
    vocabularySize: highest + 1,
    chat: {template: files.chatTemplate, bosToken: files.bosToken ?? '', eosToken: files.eosToken ?? ''},
    fingerprint: fingerprintOf(files),
  }
}

function fingerprintOf({chatTemplate, config, tokenizer}: TokenizerFiles): string {
  return createHash('sha256')
    .update(JSON.stringify([tokenizer, config, chatTemplate]))
    .digest('hex')
}

/**
 * Text out of ids that arrive one by one. A character may span several tokens, and what is not complete decodes as U+FFFD at the very end;
 * so that last U+FFFD waits until more tokens settle it. Only the latest tokens are decoded again: constant time for each.
 */
export class StreamDecoder {
  private recent: number[] = []

  constructor(private readonly tokenizer: Tokenizer) {}

  push(id: number): string {
    const before = this.settled()
    this.recent.push(id)
    const text = this.settled().slice(before.length)
    // An unfinished character is at most three bytes, hence three tokens; a few more keep what surrounds it in view.
    if (this.recent.length > 16) this.recent = this.recent.slice(-8)
    return text
  }

  /** What is left at the end of the stream: the replacement character of a character that never became whole. */
  end(): string {
    const rest = this.tokenizer.decode(this.recent).slice(this.settled().length)
    this.recent = []
    return rest
  }

  private settled(): string {
    return this.tokenizer.decode(this.recent).replace(/\uFFFD$/, '')
  }
}

function makeHubTokenizer(files: TokenizerFiles): HubTokenizer {
  const parts = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...files.tokenizer,
  }
  try {
    return new HubTokenizer({...parts, pre_tokenizer: withUnicodeSpaces(parts.pre_tokenizer)}, files.config)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new FileError(`${files.path} is of a kind that cannot be read: ${reason}.`, {
      cause: error,
      hint: 'write it again with a current release of transformers: AutoTokenizer.from_pretrained(…).save_pretrained(…)',
    })
  }
}

/** The pattern of byte-level BPE, from GPT-2. */
const byteLevelPattern = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

/**
 * The library runs the byte-level pattern with JavaScript's white space, which counts U+FEFF in and U+0085 out, unlike the original.
 * Written as a split of its own, the same pattern goes through the library's translation of Unicode classes, and the ids agree.
 * With add_prefix_space the split would come before the prefix, so such tokenizers stay as they are.
 */
function withUnicodeSpaces(preTokenizer: unknown): unknown {
  const step = preTokenizer as JsonObject | null
  if (step?.type === 'Sequence' && Array.isArray(step.pretokenizers)) {
    return {...step, pretokenizers: step.pretokenizers.map(withUnicodeSpaces)}
  }

  if (step?.type !== 'ByteLevel' || step.use_regex === false || step.add_prefix_space === true) return preTokenizer
  const split = {type: 'Split', pattern: {Regex: byteLevelPattern}, behavior: 'Isolated', invert: false}
  return {type: 'Sequence', pretokenizers: [split, {...step, use_regex: false}]}
}
