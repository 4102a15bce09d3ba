/**
 * What `mambatune data preview` prints for people: the text of each row, its tokens parted by `│`. What is trained stands between ⟦ and ⟧
 * and is green, what is masked is dim, the end-of-sequence token has a ■ and is yellow; so it can be read without colours too.
 */
import {type DataPreview, type PreviewRow, type PreviewToken} from '../report/preview-data.js'
import {formatCount} from './format.js'
import {type Style} from './terminal.js'

/** Tokens of a row that are shown. */
const MOST_TOKENS = 600

export function previewText({format, notes, rows}: DataPreview, style: Style): string {
  const legend = `${style.green('⟦trained⟧')} ${style.dim('masked')} ${style.yellow('■ end of sequence')} │ between tokens, ↵ line end`
  return [[`format ${format}`, ...notes, legend].join('\n'), ...rows.map((row) => rowText(row, style))].join('\n\n')
}

function rowText({length, supervised, tokens, where}: PreviewRow, style: Style): string {
  const shown = tokens.slice(0, MOST_TOKENS)
  const text = shown.map((token, index) => tokenText(token, tokens[index - 1], tokens[index + 1], style)).join('')
  const rest = tokens.length - shown.length
  const more = rest > 0 ? style.dim(` … and ${formatCount(rest)} more tokens`) : ''
  return `${style.bold(where)}  ${formatCount(length)} tokens, ${formatCount(supervised)} trained\n${text}${more}`
}

function tokenText(
  {eos, text, trained}: PreviewToken,
  before: PreviewToken | undefined,
  after: PreviewToken | undefined,
  style: Style,
): string {
  const paint = eos ? style.yellow : trained ? style.green : style.dim
  const opening = trained && before?.trained !== true ? style.green('⟦') : ''
  const closing = trained && after?.trained !== true ? style.green('⟧') : ''
  const border = before && before.trained === trained ? style.dim('│') : ''
  const lines = visible(text).split('\n').map(paint).join('\n')
  return `${border}${opening}${lines}${eos ? style.yellow('■') : ''}${closing}`
}

/** Line ends are shown and kept; other control characters could do anything to a terminal. */
function visible(text: string): string {
  return text
    .replaceAll('\n', '↵\n')
    .replaceAll('\t', '→')
    .replace(/(?!\n)\p{Control}/gu, (sign) => `\\x${(sign.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)
}
