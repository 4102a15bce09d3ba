import {describe, expect, test} from '@jest/globals'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {evaluate} from '../support/evaluate.js'
import {type Named, type Values} from '../support/values.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {headLoss, headLossInputs} from './subjects.js'
import {workOf} from './work.js'

const WANTED = ['hidden', 'weight']

const SIZES = [
  {inner: 1, rows: 1, vocabulary: 2},
  {inner: 3, rows: 2, vocabulary: 1},
  {ignoredEvery: 2, inner: 16, rows: 7, vocabulary: 37, transposed: true},
  {ignoredEvery: 3, inner: 5, rows: 64, vocabulary: 11},
  {ignoredEvery: 3, inner: 8, rank: 3, rows: 21, transposed: true, vocabulary: 37},
  {inner: 4, rank: 1, rows: 3, vocabulary: 5},
  {inner: 11, rows: 129, vocabulary: 130},
]

/** Rows `from` to `to` of hidden and labels. */
function rowsOf({hidden, labels, ...rest}: Named, from: number, to: number): Named {
  const cut = ({data, shape: [, ...columns]}: Values): Values => {
    const width = columns[0] ?? 1
    return {data: data.slice(from * width, to * width), shape: [to - from, ...columns]}
  }
  return {...rest, hidden: cut(hidden), labels: cut(labels)}
}

describe('the linear cross-entropy', () => {
  // TensorFlow.js's oneHot wants two words at least.
  test.each(SIZES.filter(({vocabulary}) => vocabulary > 1))(
    'equals its meaning in value and every gradient for %j',
    async (sizes) => {
      expect(await faultsAgainstMeaning(headLoss, headLossInputs(sizes))).toEqual({})
    },
  )

  test.each([...SIZES, {ignoredEvery: 5, inner: 3, rows: 1000, vocabulary: 37}])(
    'agrees with numeric differences for %j',
    async (sizes) => {
      expect(await faultsAgainstNumbers(headLoss, headLossInputs(sizes))).toEqual({})
    },
  )

  test('is right for logits of hundreds', async () => {
    const {hidden, ...rest} = headLossInputs({inner: 16, rows: 7, vocabulary: 37})
    const large = {...rest, hidden: {...hidden, data: hidden.data.map((value) => 40 * value)}}
    expect(await faultsAgainstNumbers(headLoss, large)).toEqual({})
  })

  test('does not hide a NaN', async () => {
    const inputs = headLossInputs({inner: 5, rows: 6, vocabulary: 11})
    for (const index of [0, 7]) expect(await faultsOfNan(headLoss, inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(headLoss, inputs, 'loss')).toEqual([])
  })

  describe.each(EVERY_BACKEND)('on %s', (backend) => {
    test('gives an ignored row no part in loss or gradient, whatever it holds', async () => {
      await useBackend(backend)
      const inputs = headLossInputs({ignoredEvery: 3, inner: 5, rows: 20, vocabulary: 11})
      const isIgnored = (index: number): boolean => inputs.labels.data[Math.floor(index / 5)] < 0
      const {hidden} = inputs
      const spoilt = {...hidden, data: hidden.data.map((value, index) => (isIgnored(index) ? Number.NaN : value))}
      const expected = await evaluate(headLoss.call, inputs, WANTED)
      const results = await evaluate(headLoss.call, {...inputs, hidden: spoilt}, WANTED)
      expect(bitFaultsOf(results, expected)).toEqual({})
      expect(results.dHidden.every((value, index) => (value === 0) === isIgnored(index))).toBe(true)
    })

    test('is the same for the supervised rows alone', async () => {
      await useBackend(backend)
      const inputs = headLossInputs({inner: 5, rows: 20, vocabulary: 11})
      const labels = {...inputs.labels, data: inputs.labels.data.map((label, row) => (row < 13 ? label : -100))}
      const {dHidden, ...sums} = await evaluate(headLoss.call, {...inputs, labels}, WANTED)
      const {dHidden: dHiddenAlone, ...sumsAlone} = await evaluate(headLoss.call, rowsOf(inputs, 0, 13), WANTED)
      // The GPU pads supervised rows, and may divide products of more rows otherwise.
      const faults = backend === 'gpu' ? faultsOf : bitFaultsOf
      expect(faults(sums, sumsAlone)).toEqual({})
      expect(faults({dHidden: dHidden.subarray(0, 13 * 5)}, {dHidden: dHiddenAlone})).toEqual({})
    })

    test('is zero with zero gradients where no row is supervised', async () => {
      await useBackend(backend)
      const inputs = headLossInputs({ignoredEvery: 1, inner: 3, rows: 4, vocabulary: 5})
      const {dHidden, dWeight, loss} = await evaluate(headLoss.call, inputs, WANTED)
      expect([...loss, ...dHidden, ...dWeight].filter((value) => value !== 0)).toEqual([])
    })

    // 50,280 words are Mamba's vocabulary: 166 rows of logits fill a piece.
    test('is the sum of its rows where the logits take several pieces', async () => {
      await useBackend(backend)
      const inputs = headLossInputs({inner: 3, rows: 200, vocabulary: 50_280})
      const whole = await evaluate(headLoss.call, inputs, WANTED)
      const first = await evaluate(headLoss.call, rowsOf(inputs, 0, 100), WANTED)
      const second = await evaluate(headLoss.call, rowsOf(inputs, 100, 200), WANTED)
      const sum = (name: string): Float32Array => first[name].map((value, index) => value + second[name][index])
      expect(
        faultsOf(whole, {
          dHidden: Float32Array.of(...first.dHidden, ...second.dHidden),
          dWeight: sum('dWeight'),
          loss: sum('loss'),
        }),
      ).toEqual({})
    })
  })

  test('multiplies nothing for a frozen input', async () => {
    await useBackend('wasm')
    const inputs = headLossInputs({inner: 3, rows: 4, vocabulary: 5})
    const work = async (...wanted: string[]): Promise<{products: number; softmaxes: number}> => {
      const {count} = await workOf(() => evaluate(headLoss.call, inputs, wanted))
      return {products: count('BatchMatMul') + count('transposedProduct'), softmaxes: count('crossEntropyBackward')}
    }
    expect(await work('hidden')).toEqual({products: 3, softmaxes: 1})
    expect(await work('weight')).toEqual({products: 3, softmaxes: 1})
    expect(await work('hidden', 'weight')).toEqual({products: 5, softmaxes: 2})
  })
})
