/**
 * How many columns of a terminal a text takes, and cutting it to a number of columns.
 * Knows East Asian wide characters, emoji and combining marks one code point at a time; joined emoji count as their parts.
 */
import {stripVTControlCharacters} from 'node:util'

const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]$/u

// The wide and fullwidth blocks of Unicode's EastAsianWidth.txt, rounded to whole blocks.
const WIDE =
  /^(?:[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation})$/u

const ELLIPSIS = '…'

export function displayWidth(text: string): number {
  let width = 0
  for (const character of stripVTControlCharacters(text)) width += characterWidth(character)
  return width
}

/** `text` in at most `columns` columns, ending in … where something was cut. A text that is cut loses its colours. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  if (columns < 1) return ''

  let width = 0
  let kept = ''
  for (const character of stripVTControlCharacters(text)) {
    width += characterWidth(character)
    if (width > columns - ELLIPSIS.length) break
    kept += character
  }

  return kept + ELLIPSIS
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)))
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - displayWidth(text))) + text
}

/** Names out of a damaged or hostile file must not move the cursor: control characters are shown as \xNN, line ends stay. */
export function withoutControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- finding control characters is the purpose
  return text.replaceAll(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, (control) =>
    control === '\t' ? '  ' : String.raw`\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

function characterWidth(character: string): number {
  if (ZERO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
