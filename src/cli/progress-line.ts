/**
 * The text of a progress line, for a terminal of a given width and for a log:
 *
 *   train ███████░░░ 45/120 · 38% · loss 2.314 · ETA 1m12s
 *   train 45/120 · 38% · loss 2.314 · ETA 1m12s
 *
 * In a narrow terminal the bar shrinks first, then the detail loses its last parts; what is left is cut at the edge, because a line that wraps
 * cannot be repainted.
 */
import {displayWidth, truncate} from './display-width.js'
import {formatCount, formatDuration} from './format.js'
import {type Signs} from './terminal.js'

export interface ProgressState {
  readonly label: string
  readonly done: number
  readonly total: number
  readonly detail: string
  /** Seconds that are left; null while unknown. */
  readonly remaining: number | null
}

/** Columns. */
const WIDEST_BAR = 24
const NARROWEST_BAR = 5
const NARROWEST_DETAIL = 4

export function formatProgressLine(state: ProgressState, signs: Signs): string {
  return `${state.label} ${figures(state, state.detail, signs)}`
}

export function formatProgressBar(state: ProgressState, columns: number, signs: Signs): string {
  const text = formatProgressLine(state, signs)
  const room = columns - displayWidth(text) - 1
  if (room >= NARROWEST_BAR) {
    return `${state.label} ${drawBar(fraction(state), Math.min(room, WIDEST_BAR), signs)} ${figures(state, state.detail, signs)}`
  }

  const excess = Math.max(0, displayWidth(text) - columns)
  const detail = excess === 0 ? state.detail : shorten(state.detail, displayWidth(state.detail) - excess, signs)
  return truncate(`${state.label} ${figures(state, detail, signs)}`, columns)
}

/** Whole parts of the detail, as many as fit; the beginning of the first one where none does. */
function shorten(detail: string, columns: number, {dot}: Signs): string {
  const parts = detail.split(` ${dot} `)
  for (let count = parts.length; count > 0; count--) {
    const text = parts.slice(0, count).join(` ${dot} `)
    if (displayWidth(text) <= columns) return text
  }
  return columns < NARROWEST_DETAIL ? '' : truncate(parts[0], columns)
}

function figures(state: ProgressState, detail: string, signs: Signs): string {
  const {done, remaining, total} = state
  const parts = [`${formatCount(done)}/${formatCount(total)}`, `${Math.floor(fraction(state) * 100)}%`]
  if (detail !== '') parts.push(detail)
  if (done < total) parts.push(`ETA ${remaining === null ? '…' : formatDuration(Math.ceil(remaining))}`)
  return parts.join(` ${signs.dot} `)
}

function drawBar(part: number, columns: number, signs: Signs): string {
  const full = Math.floor(part * columns)
  return signs.full.repeat(full) + signs.empty.repeat(columns - full)
}

function fraction(state: ProgressState): number {
  return state.total > 0 ? Math.min(1, Math.max(0, state.done / state.total)) : 1
}
