/**
 * A byte-level BPE tokenizer as a list of tokens and a list of merges, which is all that programs such as llama.cpp know of
 * one. What such a list cannot say, another kind of tokenizer or another way to cut text into words, is refused.
 */
import {type Fault, FileError} from '../errors.js'
import {isJsonObject, type JsonObject} from './json-value.js'
import {readTokenizerFiles, type TokenizerFiles} from './tokenizer-files.js'

export type TokenKind = 'normal' | 'special' | 'added' | 'unused'

export interface PlainBpe {
  /** By id: bytes in GPT-2's alphabet, but added tokens as they are written */
  readonly tokens: readonly {readonly text: string; readonly kind: TokenKind}[]
  /** 'Ġ t', the first to be made first */
  readonly merges: readonly string[]
  /** How text is cut into words before merging: with GPT-2's pattern, or as Falcon does it */
  readonly words: 'gpt-2' | 'falcon'
  /** Ids of tokens with a role, as far as they are declared */
  readonly roles: Readonly<Partial<Record<'bos' | 'eos' | 'pad' | 'unk', number>>>
  /** Whether every text is put between these tokens */
  readonly addBos: boolean
  readonly addEos: boolean
  readonly chatTemplate: string | null
  /** What text goes through before that, which lists of tokens do not say: 'NFC'. Null: nothing */
  readonly normalizer: string | null
}

/** The tokenizer in a directory, filled up to `vocabulary` tokens. Errors: FileError with all that cannot be said. */
export async function readPlainBpe(directory: string, vocabulary: number): Promise<PlainBpe> {
  const files = await readTokenizerFiles(directory)
  const {config, path, tokenizer} = files
  const faults: Fault[] = []
  const model = isJsonObject(tokenizer.model) ? tokenizer.model : {}
  checkModel(model, faults)
  const words = wordsOf(tokenizer.pre_tokenizer)
  if (words === null) {
    faults.push({
      message: `cuts text as ${outline(tokenizer.pre_tokenizer)} says; expected GPT-2's ByteLevel without a prefix space, or Falcon's sequence`,
      where: 'pre_tokenizer',
    })
  }
  const frame = frameOf(tokenizer.post_processor)
  if (frame === null) {
    faults.push({message: 'puts more than one token before or behind a text', where: 'post_processor'})
  }
  const tokens = tokensOf(files, vocabulary, faults)
  const merges = mergesOf(model.merges, faults)
  if (faults.length > 0 || words === null || frame === null) {
    throw new FileError(`${path} is no tokenizer that llama.cpp knows.`, {
      faults,
      hint: 'Only byte-level BPE can be written into a GGUF file. Name another tokenizer with --tokenizer.',
    })
  }
  const {first, last} = frame
  const declared = rolesOf(files)
  return {
    addBos: first !== null,
    addEos: last !== null,
    chatTemplate: typeof config.chat_template === 'string' ? config.chat_template : null,
    merges,
    normalizer: isJsonObject(tokenizer.normalizer) ? outline(tokenizer.normalizer) : null,
    roles: {...declared, ...idOf(files, 'bos', first), ...idOf(files, 'eos', last)},
    tokens,
    words,
  }
}

function checkModel(model: JsonObject, faults: Fault[]): void {
  if (model.type !== 'BPE') {
    faults.push({message: `is ${JSON.stringify(model.type ?? null)}, expected "BPE"`, where: 'model.type'})
  }
  for (const key of ['byte_fallback', 'ignore_merges', 'fuse_unk']) {
    if (model[key] === true) faults.push({message: 'is true, which byte-level BPE is without', where: `model.${key}`})
  }
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (typeof model[key] === 'string' && model[key] !== '') {
      faults.push({message: `is ${JSON.stringify(model[key])}, expected none`, where: `model.${key}`})
    }
  }
}

function wordsOf(step: unknown): PlainBpe['words'] | null {
  const steps = isJsonObject(step) && step.type === 'Sequence' ? step.pretokenizers : [step]
  if (!Array.isArray(steps) || !steps.every(isJsonObject)) return null
  const kinds = steps.map(({type}) => type).join()
  const bytes = steps.find(({type}) => type === 'ByteLevel')
  if (!bytes || bytes.use_regex === false || bytes.add_prefix_space === true) return null
  if (kinds === 'ByteLevel') return 'gpt-2'
  if (kinds !== 'Punctuation,ByteLevel,Digits,Split') return null
  const {behavior, pattern} = steps[3]
  const threes = isJsonObject(pattern) && pattern.Regex === '[0-9][0-9][0-9]' && behavior === 'Isolated'
  return threes && steps[0].behavior === 'Contiguous' && steps[2].individual_digits !== true ? 'falcon' : null
}

/** The names of steps: 'Sequence (Split, ByteLevel)' */
function outline(step: unknown): string {
  if (!isJsonObject(step)) return 'nothing'
  const inner = [step.pretokenizers, step.normalizers].find(Array.isArray) as readonly unknown[] | undefined
  return inner ? `${String(step.type)} (${inner.map(outline).join(', ')})` : String(step.type)
}

interface Frame {
  readonly first: string | null
  readonly last: string | null
}

/** The tokens around a text; null if they are more than one on a side. */
function frameOf(processor: unknown): Frame | null {
  const steps = isJsonObject(processor) && processor.type === 'Sequence' ? processor.processors : [processor]
  const template: unknown = Array.isArray(steps)
    ? steps.find((step) => isJsonObject(step) && step.type === 'TemplateProcessing')
    : null
  const pieces: unknown = isJsonObject(template) ? template.single : []
  if (!Array.isArray(pieces) || pieces.length === 0) return {first: null, last: null}
  const ids = pieces.map((piece: unknown): unknown =>
    isJsonObject(piece) && isJsonObject(piece.SpecialToken) ? piece.SpecialToken.id : null,
  )
  const text = ids.indexOf(null)
  const [before, behind] = [ids.slice(0, text), ids.slice(text + 1)]
  if (text < 0 || before.length > 1 || behind.length > 1) return null
  return {first: before.length === 1 ? String(before[0]) : null, last: behind.length === 1 ? String(behind[0]) : null}
}

function tokensOf({tokenizer, vocabulary}: TokenizerFiles, count: number, faults: Fault[]): PlainBpe['tokens'] {
  const added = new Map<unknown, TokenKind>()
  for (const token of Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens : []) {
    if (isJsonObject(token)) added.set(token.content, token.special === true ? 'special' : 'added')
  }
  const texts: (string | undefined)[] = []
  for (const [text, id] of vocabulary) {
    if (id >= count) faults.push({message: `has id ${id}; the model has ${count} tokens`, where: JSON.stringify(text)})
    else if (texts[id] !== undefined) {
      faults.push({message: `has the id of ${JSON.stringify(texts[id])}`, where: JSON.stringify(text)})
    } else texts[id] = text
  }
  return Array.from({length: count}, (_, id) => {
    const text = texts[id]
    return text === undefined ? {kind: 'unused', text: `[unused${id}]`} : {kind: added.get(text) ?? 'normal', text}
  })
}

/** Pairs of tokens, as one text or as two. */
function mergesOf(merges: unknown, faults: Fault[]): string[] {
  const list: readonly unknown[] = Array.isArray(merges) ? merges : []
  const texts = list.map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge))
  const bad = texts.find((text) => typeof text !== 'string' || text.split(' ').length !== 2)
  if (!Array.isArray(merges) || bad !== undefined) {
    faults.push({
      message: `must be pairs of tokens, got ${JSON.stringify(bad ?? merges ?? null)}`,
      where: 'model.merges',
    })
  }
  return texts as string[]
}

function rolesOf(files: TokenizerFiles): PlainBpe['roles'] {
  const roles = (['bos', 'eos', 'pad', 'unk'] as const).map((role) => {
    const value = files.config[`${role}_token`]
    return idOf(files, role, isJsonObject(value) ? value.content : value)
  })
  return Object.assign({}, ...roles) as PlainBpe['roles']
}

function idOf({vocabulary}: TokenizerFiles, role: string, token: unknown): Record<string, number> {
  const id = typeof token === 'string' ? vocabulary.get(token) : undefined
  return id === undefined ? {} : {[role]: id}
}
