/** Adapted linear layers, head and loss, and rows by index, at sizes that call for every version of their kernels. */
import type * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear} from '../adapted-linear/adapted-linear.js'
import {embedding} from '../embedding/embedding.js'
import {linearCrossEntropy} from '../linear-cross-entropy/linear-cross-entropy.js'
import {splitColumns} from '../rows.js'
import {operation} from './operation-subject.js'
import {type Subject} from './subject.js'
import {type Named, normals, type Tensors, whole} from './values.js'

interface LinearCase {
  readonly rows: number // M
  readonly inner: number // in
  readonly outer: number // out
  readonly rank?: number // R
  readonly bias?: boolean
  /** The update takes an x of its own */
  readonly dropped?: boolean
  /** x is a slice of so many columns */
  readonly slicedFrom?: number
  readonly costly?: boolean
}

function linear({bias, dropped, inner, costly = false, outer, rank, rows, slicedFrom}: LinearCase): Subject {
  const inputs = (): Named => {
    const normal = normals(`linear ${rows} ${inner} ${outer}`)
    return {
      weight: normal([outer, inner], 0, inner ** -0.5),
      x: normal([rows, slicedFrom ?? inner]),
      ...(bias && {bias: normal([outer])}),
      ...(rank && {down: normal([rank, inner], 0, inner ** -0.5), up: normal([outer, rank], 0, rank ** -0.5)}),
      ...(dropped && {updateX: normal([rows, inner])}),
    }
  }
  const update = rank ? ['down', 'up', ...(dropped ? ['updateX'] : [])] : []
  return operation({
    call: (tensors) => ({y: callLinear(tensors, inner)}),
    inputs,
    kernel: 'adapted linear',
    costly,
    sizes: `M ${rows} · ${inner}${slicedFrom ? ` of ${slicedFrom}` : ''} → ${outer}${rank ? `, R ${rank}` : ''}`,
    stored: ['x', 'weight', 'updateX', 'y'],
    trained: ['x', ...update, ...(bias ? ['bias', 'weight'] : [])],
  })
}

function callLinear({bias, down, up, updateX, weight, x}: Tensors, inner: number): tf.Tensor {
  const columns = x.shape[x.rank - 1]
  const part = columns === inner ? x : splitColumns(x, [columns - inner, inner])[1]
  return adaptedLinear({
    bias: (bias as tf.Tensor1D | undefined) ?? null,
    update: down ? {down: down as tf.Tensor2D, up: up as tf.Tensor2D, x: updateX ?? null} : null,
    weight: weight as tf.Tensor2D,
    weightTransposed: null,
    x: part,
  })
}

interface HeadCase {
  readonly rows: number // M
  readonly hidden: number // d
  readonly vocabulary: number // V
  /** R of an update */
  readonly rank?: number
  readonly costly?: boolean
}

/** Every fifth row is not supervised. */
function headLoss({hidden, costly = false, rank = 0, rows, vocabulary}: HeadCase): Subject {
  return operation({
    call: (tensors) => ({
      loss: linearCrossEntropy({
        hidden: tensors.hidden as tf.Tensor2D,
        labels: tensors.labels as tf.Tensor1D,
        weight: tensors.weight as tf.Tensor2D,
        weightTransposed: null,
        ...(tensors.inner && {inner: tensors.inner as tf.Tensor2D, up: tensors.up as tf.Tensor2D}),
      }),
    }),
    inputs() {
      const normal = normals(`head ${rows} ${hidden} ${vocabulary}`)
      return {
        hidden: normal([rows, hidden]),
        labels: whole([rows], (row) => (row % 5 === 0 ? -100 : (row * 7919) % vocabulary)),
        weight: normal([vocabulary, hidden], 0, hidden ** -0.5),
        ...(rank > 0 && {inner: normal([rows, rank]), up: normal([vocabulary, rank], 0, rank ** -0.5)}),
      }
    },
    kernel: 'linear cross-entropy',
    costly,
    sizes: `M ${rows}, d ${hidden}, V ${vocabulary}${rank > 0 ? `, R ${rank}` : ''}`,
    stored: ['hidden', 'weight'],
    trained: rank > 0 ? ['hidden', 'weight', 'inner', 'up'] : ['hidden', 'weight'],
  })
}

function lookUp(steps: number, words: number, columns: number): Subject {
  return operation({
    call: ({ids, weight}) => ({y: embedding(ids as tf.Tensor2D, weight as tf.Tensor2D)}),
    inputs: () => ({
      ids: whole([2, steps], (index) => (index * index + 3) % (words - 1)),
      weight: normals(`embedding ${words} ${columns}`)([words, columns]),
    }),
    kernel: 'embedding',
    sizes: `M ${2 * steps}, V ${words}, d ${columns}`,
    stored: ['weight'],
    trained: ['weight'],
  })
}

function split(rows: number, widths: readonly number[]): Subject {
  const columns = widths.reduce((sum, width) => sum + width, 0)
  return operation({
    call: ({x}) => Object.fromEntries(splitColumns(x, widths).map((part, index) => [`part${index}`, part])),
    inputs: () => ({x: normals(`split ${rows} ${columns}`)([rows, columns])}),
    kernel: 'split columns',
    sizes: `M ${rows}, ${widths.join(' + ')}`,
    stored: ['x', ...widths.map((_, index) => `part${index}`)],
    trained: ['x'],
  })
}

export const productSubjects: readonly Subject[] = [
  linear({inner: 256, outer: 384, rows: 200}),
  linear({bias: true, dropped: true, inner: 256, outer: 384, rank: 16, rows: 200}),
  linear({inner: 256, outer: 384, rank: 16, rows: 3}),
  linear({inner: 128, outer: 96, rank: 16, rows: 600}),
  linear({inner: 48, outer: 128, rank: 8, rows: 70, slicedFrom: 80}),
  linear({bias: true, inner: 37, outer: 29, rank: 3, rows: 70}),
  linear({bias: true, inner: 256, costly: true, outer: 2048, rank: 16, rows: 2176}),
  linear({bias: true, inner: 2048, costly: true, outer: 256, rank: 16, rows: 2176}),
  headLoss({hidden: 64, rows: 160, vocabulary: 600}),
  headLoss({hidden: 64, rank: 8, rows: 90, vocabulary: 600}),
  headLoss({costly: true, hidden: 13, rows: 21, vocabulary: 97}),
  headLoss({hidden: 64, costly: true, rows: 2600, vocabulary: 50_280}),
  lookUp(300, 97, 64),
  lookUp(7, 11, 13),
  split(70, [48, 16, 16]),
  split(9, [5, 32]),
]
