/** Norms, angles and cuts of low-rank updates, against the same of the whole matrices. */
import {describe, expect, test} from '@jest/globals'
import {RandomStream} from '../../src/data/random.js'
import {innerProduct, type LowRank, multipliedOut, norm, stackedTerms} from '../../src/peft/low-rank.js'
import {truncated} from '../../src/peft/low-rank-svd.js'

function update(name: string, rows: number, columns: number, rank: number, scale = 1): LowRank {
  const random = new RandomStream(1, 'test', name)
  const normals = (length: number): Float32Array => Float32Array.from({length}, () => random.normal())
  return {columns, down: normals(rank * columns), rank, rows, scale, up: normals(rows * rank)}
}

const whole = (...terms: LowRank[]): Float64Array => multipliedOut({terms})
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, index) => sum + value * b[index], 0)

const [a, b] = [update('a', 7, 5, 3, 0.5), update('b', 7, 5, 4, -2)]

describe('low-rank updates', () => {
  test('have the norm and the angle of the matrices that they make', () => {
    expect(norm({terms: [a, b]})).toBeCloseTo(Math.sqrt(dot(whole(a, b), whole(a, b))), 10)
    expect(innerProduct({terms: [a]}, {terms: [b]})).toBeCloseTo(dot(whole(a), whole(b)), 10)
    expect(innerProduct({whole: whole(a)}, {terms: [b]})).toBeCloseTo(dot(whole(a), whole(b)), 10)
    expect(norm({terms: [a, {...a, scale: -a.scale}]})).toBeLessThan(1e-6)
  })

  test('stacked are their sum', () => {
    const sum = whole(stackedTerms([a, b]))
    for (const [index, value] of whole(a, b).entries()) expect(sum[index]).toBeCloseTo(value, 5)
  })
})

/** U Σ Vᵀ with these singular values; columns of U and V are those of Hadamard matrices, so the values are known. */
function known(values: readonly number[]): LowRank {
  const sign = (row: number, column: number): number => {
    let bits = row & column
    let parity = 0
    for (; bits > 0; bits >>= 1) parity ^= bits & 1
    return parity === 0 ? 1 : -1
  }
  const [rows, columns, rank] = [16, 8, values.length]
  return {
    columns,
    down: Float32Array.from({length: rank * columns}, (_, at) => sign(Math.trunc(at / columns), at % columns)),
    rank,
    rows,
    scale: 1 / Math.sqrt(rows * columns),
    up: Float32Array.from({length: rows * rank}, (_, at) => values[at % rank] * sign(Math.trunc(at / rank), at % rank)),
  }
}

describe('an update cut to a smaller rank', () => {
  test.each([1, 2, 3])('loses the singular values after the first %i, and nothing else', (rank) => {
    const values = [8, 4, 2, 0.5]
    const {error, update: cut} = truncated(known(values), rank)
    const lost = Math.hypot(...values.slice(rank)) / Math.hypot(...values)
    expect(error).toBeCloseTo(lost, 12)
    const [before, after] = [whole(known(values)), whole(cut)]
    const distance = Math.hypot(...before.map((value, index) => value - after[index]))
    expect(distance / Math.hypot(...before)).toBeCloseTo(lost, 6)
    expect(cut.rank).toBe(rank)
  })

  test('of random factors is nearer than any cut of the ranks as they stand', () => {
    const sum = stackedTerms([a, b])
    const {error, update: cut} = truncated(sum, 2)
    const before = whole(sum)
    const distance = (other: Float64Array): number => Math.hypot(...before.map((value, index) => value - other[index]))
    expect(distance(whole(cut)) / Math.hypot(...before)).toBeCloseTo(error, 6)
    for (const first of [0, 2, 5]) {
      const kept = {
        ...sum,
        down: sum.down.slice(first * 5, (first + 2) * 5),
        rank: 2,
        up: Float32Array.from({length: 14}, (_, at) => sum.up[Math.trunc(at / 2) * sum.rank + first + (at % 2)]),
      }
      expect(distance(whole(kept))).toBeGreaterThan(distance(whole(cut)))
    }
  })

  test.each([
    ['more ranks than it has', known([3, 1]), 5],
    ['more ranks than columns', update('wide', 3, 20, 9), 9],
    ['columns that repeat', stackedTerms([a, a]), 3],
  ])('with %s stays what it is', (_, sum, rank) => {
    const {error, update: cut} = truncated(sum, rank)
    expect(error).toBeLessThan(1e-12)
    const after = whole(cut)
    for (const [index, value] of whole(sum).entries()) expect(after[index]).toBeCloseTo(value, 5)
  })

  test('of zeros is zeros', () => {
    const {error, update: cut} = truncated({...a, scale: 0}, 2)
    expect(error).toBe(0)
    expect([...cut.up, ...cut.down].every((value) => value === 0)).toBe(true)
  })
})
