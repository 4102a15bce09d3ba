/**
 * From borders between characters to borders between tokens. A tokenizer may write one token across a border, so it is asked: the text
 * between two borders, alone, usually becomes the very tokens that stand there in the whole; where it does not, the beginning of the
 * text up to the border is made into tokens too, and the border lies where these part from those of the whole.
 */
import {type Span} from './marked-text.js'

export interface TokenSpan {
  /** The first token that has a character of the span */
  readonly begin: number
  /** After the last one */
  readonly end: number
  /** A token lies across its beginning. */
  readonly isShared: boolean
}

export interface Codec {
  encode(text: string): readonly number[]
  decode(ids: readonly number[]): string
}

export function tokenSpans(text: string, ids: readonly number[], spans: readonly Span[], codec: Codec): TokenSpan[] {
  let known = {character: 0, token: 0}
  const borderAt = (character: number): {token: number; isExact: boolean} => {
    if (character === text.length) return {token: ids.length, isExact: true}
    const piece = codec.encode(text.slice(known.character, character))
    if (piece.every((id, index) => id === ids[known.token + index])) {
      known = {character, token: known.token + piece.length}
      return {token: known.token, isExact: true}
    }

    const beginning = known.character === 0 ? piece : codec.encode(text.slice(0, character))
    let token = 0
    while (token < beginning.length && beginning[token] === ids[token]) token++
    const isExact = token === beginning.length
    if (isExact) known = {character, token}
    return {token, isExact}
  }

  return spans.map(({begin, end}) => {
    const first = borderAt(begin)
    const last = borderAt(end)
    const after = last.isExact ? last.token : firstBeyond(ids, last.token, end, codec)
    return {begin: first.token, end: after, isShared: !first.isExact}
  })
}

/** The number of tokens, more than `from`, whose text reaches the character. */
function firstBeyond(ids: readonly number[], from: number, character: number, codec: Codec): number {
  for (let count = from + 1; count < ids.length; count++) {
    if (codec.decode(ids.slice(0, count)).length >= character) return count
  }
  return ids.length
}
