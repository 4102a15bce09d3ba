/**
 * Matrices that no binding shows whole, on a GPU that plays one with small bindings. Operands are eighths, as in
 * matrix-product.test.ts, so that results equal the plain sums in every bit.
 */
import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {loadTensor} from '../../src/backend/gpu/load-tensor.js'
import {windowStarts} from '../../src/backend/gpu/row-windows.js'
import {RandomStream} from '../../src/data/random.js'
import {gatherRowsOnGpu} from '../../src/ops/gather-rows.gpu.js'
import {product} from '../../src/ops/matrix-product/matrix-product.gpu.js'
import {toTensors} from '../../src/ops/operation.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {inHalf} from './half.js'

const LIMIT = 4096

function eighths(name: string, size: number): Float32Array {
  const random = new RandomStream(3, name)
  return Float32Array.from({length: size}, () => Math.floor(17 * random.uniform()) / 8 - 1)
}

/** The values in the file's pieces, which end where windows do not. */
async function* piecesOf(values: Float32Array, bytes = 1000): AsyncGenerator<Uint8Array> {
  const all = new Uint8Array(values.buffer)
  for (let at = 0; at < all.length; at += bytes) yield await Promise.resolve(all.subarray(at, at + bytes))
}

async function loaded(
  host: GpuBackend,
  values: Float32Array,
  shape: readonly number[],
  format: 'f16' | 'f32',
): Promise<tf.Tensor> {
  const {tensor} = await loadTensor(host, {format, pieces: piecesOf(values), shape, source: 'f32'})
  return toTensors([tensor])[0]
}

describe('windows of rows', () => {
  test('are none where a binding shows all', () => {
    expect(windowStarts([64, 16], 'f32', LIMIT)).toBeNull()
    expect(windowStarts([4096], 'f32', LIMIT)).toBeNull()
  })

  test.each([
    [[65, 16], 'f32', [0, 40]],
    [[1000, 3], 'f32', [0, 256, 512, 768]],
    [[1000, 3], 'f16', [0, 512]],
    [[130, 128], 'f32', Array.from({length: 17}, (_, index) => 8 * index)],
  ] as const)('of %j in %s', (shape, format, starts) => {
    expect(windowStarts(shape, format, LIMIT)).toEqual(starts)
  })

  test('are none where eight rows are too large', () => expect(windowStarts([9, 500], 'f32', LIMIT)).toBeNull())
})

interface Case {
  readonly kind: 'NT' | 'NN'
  readonly m: number
  /** Rows and columns of the matrix */
  readonly shape: readonly [number, number]
  readonly format?: 'f16' | 'f32'
  readonly output?: 'f16' | 'f32'
  readonly rank?: number
  readonly bias?: boolean
}

const CASES: readonly Case[] = [
  {kind: 'NT', m: 2, shape: [70, 40]},
  {bias: true, kind: 'NT', m: 5, rank: 3, shape: [77, 20]},
  {bias: true, kind: 'NT', m: 21, rank: 4, shape: [45, 37]},
  {bias: true, format: 'f16', kind: 'NT', m: 20, output: 'f16', rank: 8, shape: [80, 48]},
  {bias: true, format: 'f16', kind: 'NT', m: 1, rank: 3, shape: [300, 16]},
  {kind: 'NN', m: 3, shape: [77, 20]},
  {kind: 'NN', m: 18, rank: 3, shape: [45, 37]},
  {format: 'f16', kind: 'NN', m: 12, output: 'f16', rank: 8, shape: [80, 48]},
]

const at = (values: Float32Array, columns: number) => (row: number, column: number) => values[row * columns + column]

/** Operands and the plain result of a case. */
function plain({bias, kind, m, rank = 0, shape: [rows, columns]}: Case): {
  readonly values: Readonly<Record<'bias' | 'left' | 'left2' | 'right' | 'right2', Float32Array>>
  readonly expected: number[]
} {
  const [n, k] = kind === 'NT' ? [rows, columns] : [columns, rows]
  const values = {
    bias: eighths('bias', n),
    left: eighths('left', m * k),
    left2: eighths('left2', m * rank),
    right: eighths('right', rows * columns),
    right2: eighths('right2', n * rank),
  }
  const [left, left2, right] = [at(values.left, k), at(values.left2, rank), at(values.right, columns)]
  const right2 = at(values.right2, kind === 'NT' ? rank : n)
  const expected = Array.from({length: m * n}, (_, index) => {
    const [row, column] = [Math.floor(index / n), index % n]
    let sum = 0
    for (let t = 0; t < k; t++) sum += left(row, t) * (kind === 'NT' ? right(column, t) : right(t, column))
    for (let t = 0; t < rank; t++) sum += left2(row, t) * (kind === 'NT' ? right2(column, t) : right2(t, column))
    return 0.5 * sum + (bias ? values.bias[column] : 0)
  })
  return {expected, values}
}

describeGpu('a matrix in windows', () => {
  const limited = (): Promise<GpuBackend> => useGpu({facts: {bindingBytes: LIMIT}})

  test.each(CASES)('is multiplied by as if it were whole: %j', async (one) => {
    const host = await limited()
    const {format = 'f32', kind, m, output = 'f32', rank = 0, shape} = one
    const {expected, values} = plain(one)
    const n = kind === 'NT' ? shape[0] : shape[1]
    await expectNoLeak(async () => {
      const right = await loaded(host, values.right, shape, format)
      expect(host.windowsOf(right)?.length).toBeGreaterThan(1)
      expect(host.formatOf(right)).toBe(format)
      const y = tf.tidy(() => {
        const left = tf.tensor2d(values.left, [m, values.left.length / m])
        const update = rank > 0 && {
          left: tf.tensor2d(values.left2, [m, rank]),
          right: tf.tensor2d(values.right2, kind === 'NT' ? [n, rank] : [rank, n]),
        }
        const info = product(host, {
          bias: one.bias ? tf.tensor1d(values.bias) : undefined,
          extension: update || undefined,
          format: output,
          kind,
          left: format === 'f16' ? inHalf(left) : left,
          right,
          scale: 0.5,
        })
        return toTensors([info])[0]
      })
      expect(y.shape).toEqual([m, n])
      expect(host.formatOf(y)).toBe(output)
      expect([...(await y.data())]).toEqual(expected)
      tf.dispose([right, y])
    })
  })

  test.each(['f32', 'f16'] as const)('gives its rows by index, and zeros for others: %s', async (format) => {
    const host = await limited()
    const columns = 24
    const values = eighths('table', 131 * columns)
    const ids = [130, 0, 39, 40, 41, 131, -1, 80, 0]
    await expectNoLeak(async () => {
      const table = await loaded(host, values, [131, columns], format)
      const rows = tf.tidy(() => {
        const indices = tf.tensor1d([7, ...ids], 'int32')
        return toTensors([gatherRowsOnGpu(host, {format, from: 1, indices, table})])[0]
      })
      const expected = ids.map((id) => Array.from({length: columns}, (_, c) => values[id * columns + c] ?? 0))
      expect([...(await rows.data())]).toEqual(expected.flat())
      tf.dispose([table, rows])
    })
  })

  test('says where a value is not finite or too large for f16', async () => {
    const host = await limited()
    const values = eighths('faulty', 200 * 32)
    values[5000] = 1e6
    values[6001] = Number.NaN
    await expectNoLeak(async () => {
      const found = await loadTensor(host, {format: 'f16', pieces: piecesOf(values), shape: [200, 32], source: 'f32'})
      expect([found.tooLarge, found.notFinite]).toEqual([5000, 6001])
      tf.dispose(toTensors([found.tensor]))
    })
  })

  test('is refused where it is needed whole', async () => {
    const host = await limited()
    const table = await loaded(host, eighths('table', 100 * 16), [100, 16], 'f32')
    const refused = (work: () => tf.Tensor, message: string, hint: RegExp): void =>
      expect(() => tf.tidy(work)).toThrow(expect.objectContaining({hint: expect.stringMatching(hint), message}))
    const tooLarge = (size: string): string =>
      `A tensor of ${size} is larger than this GPU lets a kernel see at once (4 KiB).`
    refused(() => tf.square(table), tooLarge('7 KiB'), /rows are kept apart/)
    refused(() => tf.square(tf.ones([1100])), tooLarge('5 KiB'), /Lower train.batch_size/)
    table.dispose()
  })
})
