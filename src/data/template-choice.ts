/**
 * Which template writes the turns of a dataset: the one that was named (built in, of the tokenizer, or a file); else the tokenizer's own;
 * else Alpaca's text for rows of Alpaca and a plain one for conversations. Rows of prompt and completion are joined as they are unless a
 * template is named.
 */
import {readFile, stat} from 'node:fs/promises'

import {DataError, FileError} from '../errors.js'
import {BUILT_IN_TEMPLATES} from './built-in-templates.js'
import {type DataSettings, type RowFormat} from './dataset.js'
import {ChatTemplate} from './template.js'
import {type ChatTexts, type Tokenizer} from './tokenizer.js'

const FORMATS_WITH_TURNS: readonly RowFormat[] = ['chat', 'sharegpt', 'alpaca']

const NO_TEXTS: ChatTexts = {template: null, bosToken: '', eosToken: ''}

const LARGEST_FILE = 2 ** 20

export interface TemplateChoice {
  /** null: none is needed */
  readonly template: ChatTemplate | null
  /** For the user; empty where there is nothing to say */
  readonly notes: readonly string[]
}

/** A template that was named, read before the rows are. */
export async function namedTemplate({template = null}: Pick<DataSettings, 'template'>): Promise<string | null> {
  if (template === null || template === 'tokenizer') return null
  if (Object.hasOwn(BUILT_IN_TEMPLATES, template)) return BUILT_IN_TEMPLATES[template]
  const names = [...Object.keys(BUILT_IN_TEMPLATES), 'tokenizer'].join(', ')
  try {
    const {size} = await stat(template)
    if (size > LARGEST_FILE) throw new FileError(`${template} has ${size} bytes; expected a template of Jinja.`)
    return await readFile(template, 'utf8')
  } catch (error) {
    if (error instanceof FileError) throw error
    const {code} = error as NodeJS.ErrnoException
    throw new FileError(`The template ${template} cannot be read (${String(code)}).`, {
      cause: error,
      hint: `A template is one of ${names}, or the path of a file.`,
    })
  }
}

/** Errors: DataError for a template that is not there or does not fit. `source` is that of a named one. */
export function chooseTemplate(
  settings: DataSettings,
  format: RowFormat,
  tokenizer: Tokenizer | null,
  source: string | null,
): TemplateChoice {
  const {appendEos, template: named = null} = settings
  const hasTurns = FORMATS_WITH_TURNS.includes(format)
  if (named === null && !hasTurns) return {template: null, notes: []}
  if (!hasTurns && format !== 'prompt_completion') {
    const message = `data.template is ${named}, but rows of format ${format} have no turns to write.`
    throw new DataError(message, {hint: 'data.template: null'})
  }

  const texts = tokenizer?.chat ?? NO_TEXTS
  const written = (name: string, text: string, because: string): TemplateChoice => {
    const isOwn = text === texts.template
    const context = {bosToken: texts.bosToken, eosToken: isOwn || appendEos ? texts.eosToken : ''}
    return {
      template: new ChatTemplate(name, text, context),
      notes: [`Turns are written by template ${name}: ${because}.`],
    }
  }
  if (source !== null && named !== null) return written(named, source, `data.template is ${named}`)
  if (texts.template !== null) return written('tokenizer', texts.template, "it is the tokenizer's own")
  if (named === 'tokenizer') {
    throw new DataError('data.template is tokenizer, but the tokenizer has no chat template.', {
      hint: `data.template: ${Object.keys(BUILT_IN_TEMPLATES).join(' or ')}, or the path of a file`,
    })
  }

  const name = format === 'alpaca' ? 'alpaca' : 'plain'
  return written(
    name,
    BUILT_IN_TEMPLATES[name],
    'the tokenizer has no template of its own, and data.template names none',
  )
}
