/**
 * A tokenizer small enough to see through: a letter is its place in the alphabet, "ab" is one token, 0 is EOS, 40 stands for a line
 * break and 41 for a space.
 */
import {type Tokenizer} from '../../src/data/tokenizer.js'

const tokens = ['', ...'abcdefghijklmnopqrstuvwxyz']
tokens[30] = 'ab'
tokens[40] = '\n'
tokens[41] = ' '

export const letters: Tokenizer = {
  encode: (text) => (text.match(/ab|[a-z\n ]/g) ?? []).map((piece) => tokens.indexOf(piece)),
  decode: (ids) => ids.map((id) => tokens[id] ?? '').join(''),
  eosId: 0,
  vocabularySize: 42,
}
