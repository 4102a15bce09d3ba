/**
 * A chat template: messages → text, in Jinja as Hugging Face's chat templates are, through its own interpreter. A template is a program
 * that came with a file, so it gets nothing but its messages and a few texts, runs in the interpreter only (no JavaScript of it is ever
 * evaluated), and is stopped when it takes too long. It is not told the date, which it could ask for in transformers: the same rows must
 * become the same tokens tomorrow.
 */
import {Script} from 'node:vm'

import * as library from '@huggingface/jinja'

import {DataError} from '../errors.js'
import {type Message} from './messages.js'
import {type JsonObject} from './json-value.js'

/** What is used of the library. Its own declarations import one another without file extensions, which Node's resolution rejects. */
interface Jinja {
  readonly Environment: new () => {set(name: string, value: unknown): unknown}
  readonly Interpreter: new (environment: object) => {run(program: object): {readonly value: unknown}}
  parse(tokens: object): object
  tokenize(source: string, options: {lstrip_blocks: boolean; trim_blocks: boolean}): object
}
const jinja = library as unknown as Jinja

/** Characters that a template may have. */
const LONGEST_TEMPLATE = 2 ** 18

/** Characters that it may make of one row. */
const LONGEST_TEXT = 2 ** 26

/** Entries of a `range`. */
const LONGEST_RANGE = 100_000

const MILLISECONDS = 5000

export interface TemplateContext {
  readonly bosToken: string
  readonly eosToken: string
}

/** A row that the template cannot render; the message goes into a fault of the row. */
export class TemplateProblem extends Error {}

export class ChatTemplate {
  private readonly program: object

  /** `name` is for messages: "built in chatml", a file. Errors: DataError for a template that cannot be read. */
  constructor(
    readonly name: string,
    source: string,
    readonly context: TemplateContext,
  ) {
    if (source.length > LONGEST_TEMPLATE) {
      throw new DataError(`The template ${name} has ${source.length} characters, more than ${LONGEST_TEMPLATE}.`)
    }

    try {
      this.program = jinja.parse(jinja.tokenize(source, {lstrip_blocks: true, trim_blocks: true}))
    } catch (error) {
      throw new DataError(`The template ${name} is not Jinja that can be read: ${(error as Error).message}.`, {
        cause: error,
        hint: 'data.template: chatml, or another that is built in',
      })
    }
  }

  /** Errors: TemplateProblem. */
  render(messages: readonly Message[], besides: JsonObject, addGenerationPrompt: boolean): string {
    const environment = new jinja.Environment()
    const values: JsonObject = {
      ...besides,
      messages: messages.map(({fields}) => fields),
      add_generation_prompt: addGenerationPrompt,
      bos_token: this.context.bosToken,
      eos_token: this.context.eosToken,
      ...GLOBALS,
    }
    for (const [name, value] of Object.entries(values)) environment.set(name, value)
    let text: unknown
    try {
      text = new jinja.Interpreter(environment).run(this.program).value
    } catch (error) {
      throw new TemplateProblem(`the template ${this.name} refuses it: ${(error as Error).message}`)
    }

    if (typeof text === 'string' && text.length <= LONGEST_TEXT) return text
    throw new TemplateProblem(`the template ${this.name} makes more than ${LONGEST_TEXT} characters of it`)
  }
}

const GLOBALS: JsonObject = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception(message: unknown): never {
    throw new Error(String(message))
  },
  range: boundedRange,
}

function boundedRange(first: number, second?: number, step = 1): number[] {
  const [begin, end] = typeof second === 'number' ? [first, second] : [0, first]
  const count = Math.max(0, Math.ceil((end - begin) / step))
  if (!(count <= LONGEST_RANGE)) throw new Error(`range of ${count} numbers, expected at most ${LONGEST_RANGE}`)
  return Array.from({length: count}, (_, index) => begin + index * step)
}

const CALL = new Script('work()')

/** Runs what renders a row, and breaks it off when it takes too long. Errors: TemplateProblem, and those of `work`. */
export function inBoundedTime<Result>(work: () => Result, milliseconds = MILLISECONDS): Result {
  try {
    return CALL.runInNewContext({work}, {timeout: milliseconds}) as Result
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new TemplateProblem(`the template takes more than ${milliseconds} ms for it`)
  }
}
