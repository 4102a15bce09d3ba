/** What a question's data turned out to be: the format and why, how many rows, and one of them as it will be trained on. */
import {type DataInspection} from '../../report/inspect-data.js'
import {type DataPreview, type PreviewRow} from '../../report/preview-data.js'
import {formatCount, formatCounted} from '../format.js'
import {previewText} from '../preview-text.js'
import {type Style} from '../terminal.js'

/** Tokens of the row that are shown: a screen has room for more than a row. */
const MOST_TOKENS = 120

export function dataFoundText(inspection: DataInspection, preview: DataPreview | null, style: Style): string {
  const shown =
    preview === null
      ? inspection.notes.join('\n')
      : previewText({...preview, rows: preview.rows.slice(0, 1).map(aroundTrained)}, style)
  return `${shown}\n\n${countText(inspection)}`
}

function countText({duplicates, lengths, rows, supervised_percent: percent, total}: DataInspection): string {
  const same = duplicates > 0 ? `, ${formatCount(duplicates)} of them twice or more` : ''
  const {longest, median, shortest} = lengths
  return `${formatCounted(rows, 'row')}${same}: ${formatCount(shortest)} to ${formatCount(longest)} tokens, half up to ${formatCount(median)}; ${formatCount(total)} in all, ${percent.toFixed(0)} % trained`
}

/** Of a long row the tokens before and behind the place where training begins. */
function aroundTrained(row: PreviewRow): PreviewRow {
  const {tokens} = row
  if (tokens.length <= MOST_TOKENS) return row
  const first = tokens.findIndex(({trained}) => trained)
  const from = Math.max(0, Math.min(first - MOST_TOKENS / 2, tokens.length - MOST_TOKENS))
  const gap = {eos: false, ids: [], text: ' … ', trained: false}
  const window = tokens.slice(from, from + MOST_TOKENS)
  const isEnd = from + MOST_TOKENS >= tokens.length
  return {
    ...row,
    tokens: [
      ...(from > 0 ? [gap] : []),
      ...window,
      ...(isEnd ? [] : [{...gap, trained: window.at(-1)?.trained ?? false}]),
    ],
  }
}
