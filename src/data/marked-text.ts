/** The text of a row, and the parts of it that are trained. */
import {type Segment} from './segments.js'

export interface Span {
  readonly begin: number
  readonly end: number
}

export interface MarkedText {
  readonly text: string
  /** In order, not overlapping; counted in UTF-16 code units */
  readonly trained: readonly Span[]
}

export function whole(text: string): MarkedText {
  return {text, trained: [{begin: 0, end: text.length}]}
}

export function afterPrompt(prompt: string, completion: string): MarkedText {
  const text = prompt + completion
  return {text, trained: [{begin: prompt.length, end: text.length}]}
}

export function segmentsText(segments: readonly Segment[]): MarkedText {
  const trained: Span[] = []
  let text = ''
  for (const segment of segments) {
    const begin = text.length
    text += segment.text
    if (segment.isTrained && text.length > begin) trained.push({begin, end: text.length})
  }
  return {text, trained}
}
