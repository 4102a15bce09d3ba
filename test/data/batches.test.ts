/** Padding must not be seen by anything: a row is the same alone and in any batch. */
import {describe, expect, test} from '@jest/globals'

import {type Batch, collate, epochOrder} from '../../src/data/batches.js'
import {type Example} from '../../src/data/dataset.js'

function example(ids: number[], labels: number[] = ids): Example {
  return {ids: Int32Array.from(ids), labels: Int32Array.from(labels), where: 'rows.jsonl:1'}
}

function rowOf(batch: Batch, row: number): {ids: number[]; labels: number[]} {
  const begin = row * batch.length
  return {
    ids: [...batch.ids.subarray(begin, begin + batch.length)],
    labels: [...batch.labels.subarray(begin, begin + batch.length)],
  }
}

describe('collate', () => {
  test('labels are shifted: position t holds the target of position t, and the last has none', () => {
    const batch = collate([example([5, 6, 7, 8], [-100, -100, 7, 8])])
    expect(rowOf(batch, 0)).toEqual({ids: [5, 6, 7, 8], labels: [-100, 7, 8, -100]})
    expect(batch).toMatchObject({rows: 1, length: 4, tokens: 4, supervisedTokens: 2})
  })

  test('the label of position 0 never counts', () => {
    expect(collate([example([5, 6], [5, -100])]).supervisedTokens).toBe(0)
  })

  test('short rows are padded on the right with id 0 and label -100', () => {
    const batch = collate([example([5, 6]), example([1, 2, 3, 4])])
    expect(rowOf(batch, 0)).toEqual({ids: [5, 6, 0, 0], labels: [6, -100, -100, -100]})
    expect(rowOf(batch, 1)).toEqual({ids: [1, 2, 3, 4], labels: [2, 3, 4, -100]})
    expect(batch).toMatchObject({rows: 2, length: 4, tokens: 6, supervisedTokens: 4})
  })

  test('an id 0 that is a token, not padding, is counted and stays a label', () => {
    const batch = collate([example([5, 0]), example([1, 2, 0])])
    expect(batch.tokens).toBe(5)
    expect(batch.supervisedTokens).toBe(3)
    expect(rowOf(batch, 0).labels).toEqual([0, -100, -100])
  })

  test("a row's ids and labels do not depend on the batch it is in", () => {
    const rows = [example([9, 8, 7], [-100, 8, 7]), example([1]), example([3, 1, 4, 1, 5, 9], [-100, -100, 4, 1, 5, 9])]
    const alone = rows.map((row) => rowOf(collate([row]), 0))
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0],
    ]) {
      const batch = collate(order.map((index) => rows[index]))
      for (const [position, index] of order.entries()) {
        const {ids, labels} = rowOf(batch, position)
        const length = rows[index].ids.length
        expect(ids.slice(0, length)).toEqual(alone[index].ids)
        expect(labels.slice(0, length)).toEqual(alone[index].labels)
        expect(ids.slice(length).every((id) => id === 0)).toBe(true)
        expect(labels.slice(length).every((label) => label === -100)).toBe(true)
      }
    }
  })

  test('counts of a batch are the sums of its rows', () => {
    const rows = [example([9, 8, 7], [-100, -100, 7]), example([1, 2]), example([3, 1, 4, 1])]
    const single = rows.map((row) => collate([row]))
    const batch = collate(rows)
    expect(batch.tokens).toBe(single.reduce((sum, one) => sum + one.tokens, 0))
    expect(batch.supervisedTokens).toBe(single.reduce((sum, one) => sum + one.supervisedTokens, 0))
  })

  test('examples are not changed', () => {
    const row = example([5, 6], [-100, 6])
    collate([row, example([1, 2, 3])])
    expect(row).toEqual(example([5, 6], [-100, 6]))
  })
})

describe('epochOrder', () => {
  const settings = {seed: 42, epoch: 0, shuffle: true}

  test('holds every index once', () => {
    for (const count of [0, 1, 2, 1000]) {
      const order = epochOrder(count, settings)
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({length: count}, (_, index) => index))
    }
  })

  test('without shuffling is the order of the file', () => {
    expect([...epochOrder(5, {...settings, shuffle: false})]).toEqual([0, 1, 2, 3, 4])
  })

  test('the same seed and epoch give this order for ever', () => {
    expect([...epochOrder(10, settings)]).toEqual([5, 6, 4, 2, 1, 0, 7, 3, 8, 9])
  })

  test('seeds and epochs give orders of their own', () => {
    const orders = [0, 1, 2, 3].flatMap((epoch) =>
      [1, 2].map((seed) => epochOrder(20, {seed, epoch, shuffle: true}).join()),
    )
    expect(new Set(orders).size).toBe(orders.length)
  })

  test('every order of three is equally likely', () => {
    const counts = new Map<string, number>()
    for (let epoch = 0; epoch < 6000; epoch++) {
      const order = epochOrder(3, {seed: 1, epoch, shuffle: true}).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }

    expect(counts.size).toBe(6)
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(130)
  })
})
