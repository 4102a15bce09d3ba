/**
 * tokenizer.json and tokenizer_config.json as checked JSON, before a tokenizer is made of them. Checked is what makes the difference
 * between a clear message and a TypeError later: the parts that are used here and the ones that the tokenizer library reads unguarded.
 */
import {readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {type Fault, FileError} from '../errors.js'
import {isJsonObject, type JsonObject, kindOf} from './json-value.js'

export interface TokenizerFiles {
  /** The path of tokenizer.json, for messages. */
  readonly path: string
  readonly tokenizer: JsonObject
  readonly config: JsonObject
  /** Token text to id, added tokens included. */
  readonly vocabulary: ReadonlyMap<string, number>
  /** null where none is declared. */
  readonly eosToken: string | null
  readonly bosToken: string | null
  /** chat_template.jinja, or what tokenizer_config.json says under that name */
  readonly chatTemplate: string | null
}

const missingHint =
  'Name one with --tokenizer (model.tokenizer in a recipe), such as EleutherAI/gpt-neox-20b for the models of the authors of Mamba, or copy tokenizer.json and tokenizer_config.json from where the model came from.'
const eosPlace = 'tokenizer_config.json eos_token'

export async function readTokenizerFiles(modelDirectory: string): Promise<TokenizerFiles> {
  const path = join(modelDirectory, 'tokenizer.json')
  const tokenizer = await readJson(path)
  if (tokenizer === null) {
    const isDirectory = (await stat(modelDirectory).catch(() => null))?.isDirectory() ?? false
    if (isDirectory) throw new FileError(`${path} is missing: text needs it to become tokens.`, {hint: missingHint})
    throw new FileError(`${modelDirectory}: no such directory.`, {hint: 'give the directory of a model'})
  }

  const config = (await readJson(join(modelDirectory, 'tokenizer_config.json'))) ?? {}
  const faults: Fault[] = []
  const vocabulary = collectVocabulary(tokenizer, faults)
  const eosToken = declaredToken('eos_token', config, faults)
  const bosToken = declaredToken('bos_token', config, faults)
  const chatTemplate = await readChatTemplate(modelDirectory, config, faults)
  if (faults.length === 0 && eosToken !== null && !vocabulary.has(eosToken)) {
    faults.push({where: eosPlace, message: `${JSON.stringify(eosToken)} is not in the vocabulary`})
  }

  if (faults.length === 0) return {path, tokenizer, config, vocabulary, eosToken, bosToken, chatTemplate}
  throw new FileError(`The tokenizer in ${modelDirectory} is damaged.`, {faults, hint: missingHint})
}

/** An object out of a file; null if there is no such file. */
async function readJson(path: string): Promise<JsonObject | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new FileError(`${path} cannot be read (${String(code)}).`, {cause: error})
  }

  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = (error as SyntaxError).message
    throw new FileError(`${path} is not valid JSON: ${reason}.`, {cause: error, hint: missingHint})
  }

  if (isJsonObject(value)) return value
  throw new FileError(`${path}: expected a JSON object, got ${kindOf(value)}.`, {hint: missingHint})
}

/** The vocabulary is an object of ids (BPE, WordPiece) or a list of [token, score] pairs (Unigram). */
function collectVocabulary(tokenizer: JsonObject, faults: Fault[]): Map<string, number> {
  const vocabulary = new Map<string, number>()
  const bad: Entry[] = []
  for (const entry of [...modelTokens(tokenizer.model, faults), ...addedTokens(tokenizer, faults)]) {
    const [token, id] = entry
    if (typeof token === 'string' && Number.isInteger(id) && Number(id) >= 0) vocabulary.set(token, Number(id))
    else bad.push(entry)
  }

  if (bad.length > 0) {
    const message = `expected tokens with whole numbers, got ${JSON.stringify(bad[0])}; such entries: ${bad.length}`
    faults.push({where: 'tokenizer.json vocabulary', message})
  }

  return vocabulary
}

type Entry = readonly [token: unknown, id: unknown]

function modelTokens(model: unknown, faults: Fault[]): Entry[] {
  const entries = field(model, 'vocab')
  if (isJsonObject(entries)) return Object.entries(entries)
  if (Array.isArray(entries)) return entries.map((entry: unknown, id) => [Array.isArray(entry) ? entry[0] : entry, id])
  faults.push({where: 'tokenizer.json model.vocab', message: 'is missing; expected the vocabulary'})
  return []
}

function addedTokens(tokenizer: JsonObject, faults: Fault[]): Entry[] {
  const {added_tokens: tokens = []} = tokenizer
  if (Array.isArray(tokens)) return tokens.map((token) => [field(token, 'content'), field(token, 'id')])
  faults.push({where: 'tokenizer.json added_tokens', message: `expected an array, got ${kindOf(tokens)}`})
  return []
}

/** A special token is written as its text or as `{content}`. */
function declaredToken(key: string, config: JsonObject, faults: Fault[]): string | null {
  const value = config[key]
  if (value === undefined || value === null) return null
  const text = isJsonObject(value) ? value.content : value
  if (typeof text === 'string') return text
  faults.push({where: `tokenizer_config.json ${key}`, message: `expected a string or {content}, got ${kindOf(value)}`})
  return null
}

/** A text, or a list of named ones, of which `default` is for ordinary conversations. */
async function readChatTemplate(directory: string, config: JsonObject, faults: Fault[]): Promise<string | null> {
  const file = await readFile(join(directory, 'chat_template.jinja'), 'utf8').catch(() => null)
  if (file !== null) return file
  const {chat_template: value = null} = config
  if (value === null || typeof value === 'string') return value
  const named: unknown = Array.isArray(value) ? value.find((entry) => field(entry, 'name') === 'default') : undefined
  const template = field(named, 'template')
  if (typeof template === 'string') return template
  const message = `expected a string or a list with one named default, got ${kindOf(value)}`
  faults.push({where: 'tokenizer_config.json chat_template', message})
  return null
}

function field(value: unknown, key: string): unknown {
  return isJsonObject(value) ? value[key] : undefined
}
