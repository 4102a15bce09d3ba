import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {mostProbable} from '../../src/ops/most-probable/most-probable.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {normals} from '../support/values.js'

async function idsOf(rows: readonly (readonly number[])[]): Promise<number[]> {
  const logits = tf.tensor2d(rows.map((row) => [...row]))
  const ids = mostProbable(logits)
  const found = [...(await ids.data())]
  tf.dispose([logits, ids])
  return found
}

describe.each(EVERY_BACKEND)('on %s, the most probable token', (backend) => {
  test('is the largest, and the first among equals', async () => {
    await useBackend(backend)
    expect(
      await idsOf([
        [1, 3, 2],
        [5, 5, 4],
        [-7, -9, -7],
        [-1e38, -3e38, -Infinity],
      ]),
    ).toEqual([0 + 1, 0, 0, 0])
  })

  test('is found among many', async () => {
    await useBackend(backend)
    const columns = 1003
    const {data} = normals('most probable')([7, columns])
    const rows = Array.from({length: 7}, (_, row) => [...data.subarray(row * columns, (row + 1) * columns)])
    expect(await idsOf(rows)).toEqual(rows.map((row) => row.indexOf(Math.max(...row))))
  })
})

test.each(EVERY_BACKEND.filter((backend) => backend === 'gpu'))(
  'on %s, a NaN does not go unnoticed',
  async (backend) => {
    await useBackend(backend)
    const row = Array.from({length: 700}, (_, index) => index)
    expect(await idsOf([row, row.with(300, Number.NaN)])).toEqual([699, -1])
  },
)
