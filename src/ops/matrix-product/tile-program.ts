/**
 * What a product computes and how it is stored: all that the shaders of this folder are made from.
 *
 *   NT  y[m,n] = Σ_k left[m,k] right[n,k]     activations times weights as checkpoints store them
 *   NN  y[m,n] = Σ_k left[m,k] right[k,n]     a gradient back through such weights
 *   TN  y[m,n] = Σ_k left[k,m] right[k,n]     the gradient of a weight: k counts the rows of a batch
 *
 * The sum may go on through a second pair of operands (NT and NN): y += Σ_r left2 right2, a low-rank update that needs
 * no pass of its own. Sizes that a model fixes are constants of the code. The one that the batch fixes, m of NT and NN
 * and k of TN, is `params.rows`.
 */
import {parameters} from '../../backend/gpu/shader.js'

export type Kind = 'NT' | 'NN' | 'TN'
export type FloatFormat = 'f32' | 'f16'

/** How an operand lies in memory. */
export interface Stored {
  readonly format: FloatFormat
  /** Rows begin at multiples of four numbers (f16: of eight). */
  readonly aligned: boolean
}

export interface Extension {
  /** Terms of the second sum */
  readonly rank: number
  readonly left: Stored // (m, rank)
  readonly right: Stored // NT (n, rank), NN (rank, n)
}

export interface Program {
  readonly kind: Kind
  /** Columns of the result */
  readonly columns: number
  /** Terms of the sum (NT, NN) or rows of the result (TN) */
  readonly fixed: number
  readonly left: Stored
  readonly right: Stored
  readonly extension: Extension | null
  readonly bias: boolean
  readonly output: FloatFormat
  /** The result is columns of wider rows, or a term of a sum that several products make; left out: it is whole. */
  readonly into?: Into
}

export interface Into {
  /** Numbers from one row of the whole to the next; `params.y_offset` is the first column's number. */
  readonly stride: number
  /** What is stored there already is added. */
  readonly adds: boolean
}

/** An operand as the code sees it: a matrix of lines, one after the other in memory. */
export interface Operand {
  readonly name: string
  readonly stored: Stored
  /** True where the sum runs along a line, and a line is a row or column of the result; else a line is a term. */
  readonly along: boolean
  /** WGSL: how many lines there are */
  readonly lines: string
  /** Numbers in a line */
  readonly columns: number
}

/** Rows, columns and terms of the product in WGSL. */
export function sizesOf({columns, fixed, kind}: Program): {readonly m: string; readonly n: string; readonly k: string} {
  const n = `${columns}u`
  return kind === 'TN' ? {k: 'params.rows', m: `${fixed}u`, n} : {k: `${fixed}u`, m: 'params.rows', n}
}

/** The pair of operands of the sum and, where there is one, of its extension. */
export function pairsOf(program: Program): readonly (readonly [Operand, Operand])[] {
  const {columns, extension, fixed, kind, left, right} = program
  const {k, m, n} = sizesOf(program)
  const pair = (suffix: string, terms: string, length: number, first: Stored, second: Stored): [Operand, Operand] => [
    {
      along: kind !== 'TN',
      columns: length,
      lines: kind === 'TN' ? terms : m,
      name: `left${suffix}`,
      stored: first,
    },
    {
      along: kind === 'NT',
      columns: kind === 'NT' ? length : columns,
      lines: kind === 'NT' ? n : terms,
      name: `right${suffix}`,
      stored: second,
    },
  ]
  const main = pair('', k, fixed, left, right)
  if (!extension) return [main]
  return [main, pair('2', `${extension.rank}u`, extension.rank, extension.left, extension.right)]
}

/** The immediates of every product; `span` is the number of terms in a part of a divided sum, `scale` a factor of it. */
export function productParameters(program: Program): string {
  const names = pairsOf(program).flatMap((pair) => pair.map(({name}) => name))
  const places = names.flatMap((name) => [`${name}_offset`, `${name}_stride`])
  return parameters(['rows', 'span', ...places, ...(program.into ? ['y_offset'] : [])], ['scale'])
}

/** For the key of a shader. */
export function keyOf({bias, columns, extension, fixed, into, kind, left, output, right}: Program): string {
  const stored = ({aligned, format}: Stored): string => `${format}${aligned ? '' : 'u'}`
  const second = extension ? `+${extension.rank}:${stored(extension.left)}*${stored(extension.right)}` : ''
  const sizes = `${kind}:${fixed}:${columns}`
  return `${sizes}:${stored(left)}*${stored(right)}${second}:${output}${bias ? ':bias' : ''}${into ? `:${into.adds ? 'adds' : 'at'}:${into.stride}` : ''}`
}
