/**
 * The elements of a JSON array as pieces of text with their lines, so that a fault in a .json file has a line and does not hide those
 * after it. Only brackets, strings and commas are looked at; whether a piece is valid JSON is for JSON.parse to say.
 */

export interface ArrayElement {
  readonly text: string
  /** Line on which the element begins, from 1. */
  readonly line: number
}

export interface SplitArray {
  readonly elements: readonly ArrayElement[]
  /** What is wrong with the array around its elements. */
  readonly fault: {readonly line: number; readonly message: string} | null
}

const notAnArray = 'expected an array of rows: [{…}, {…}]; one row per line belongs in a .jsonl file'
const notClosed = 'the array is not closed: expected "]" after this row'
const surplus = 'there is something after the array; one row per line belongs in a .jsonl file'

export function splitJsonArray(text: string): SplitArray {
  const elements: ArrayElement[] = []
  const opening = skipBlank(text, 0)
  let line = lineBreaks(text, 0, opening) + 1
  if (text[opening] !== '[') return {elements, fault: {line, message: notAnArray}}

  let begin = opening + 1
  for (let closed = false; !closed;) {
    const end = elementEnd(text, begin)
    const first = skipBlank(text, begin)
    line += lineBreaks(text, begin, first)
    if (end === text.length) return {elements, fault: {line, message: notClosed}}
    const piece = text.slice(first, end).trimEnd()
    closed = text[end] === ']'
    if (piece !== '' || !closed || elements.length > 0) elements.push({text: piece, line})
    line += lineBreaks(text, first, end)
    begin = end + 1
  }

  const after = skipBlank(text, begin)
  if (after === text.length) return {elements, fault: null}
  line += lineBreaks(text, begin, after)
  return {elements, fault: {line, message: surplus}}
}

/** Index of the comma or bracket that ends the element, or the end of the text. */
function elementEnd(text: string, begin: number): number {
  let depth = 0
  for (let index = begin; index < text.length; index++) {
    const character = text[index]
    if (character === '"') index = stringEnd(text, index)
    else if (character === '{' || character === '[') depth++
    else if (depth === 0 && (character === ',' || character === ']')) return index
    else if (character === '}' || character === ']') depth--
  }

  return text.length
}

/** Index of the closing quote. */
function stringEnd(text: string, opening: number): number {
  for (let index = opening + 1; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (text[index] === '"') return index
  }

  return text.length
}

/** Index of the first character from here on that is not white space of JSON. */
function skipBlank(text: string, begin: number): number {
  let index = begin
  while (index < text.length && ' \t\r\n'.includes(text[index])) index++
  return index
}

function lineBreaks(text: string, begin: number, end: number): number {
  let count = 0
  for (let index = begin; index < end; index++) if (text[index] === '\n') count++
  return count
}
