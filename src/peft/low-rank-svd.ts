/**
 * The best update of a smaller rank, in the Frobenius norm (Eckart and Young, 1936), from the factors alone:
 *
 *   B = Q R,  Aᵀ = Q′R′,  R R′ᵀ = U Σ Vᵀ,  B A ≈ (Q U_k √Σ_k) (√Σ_k V_kᵀ Q′ᵀ)
 *
 * Q R by Gram and Schmidt, each column twice over; the small U Σ Vᵀ by one-sided Jacobi rotations (Demmel and Veselić,
 * 1992), which finds small singular values to full precision. All in f64.
 */
import {type LowRank} from './low-rank.js'

/** A matrix as its columns. */
type Columns = readonly Float64Array[]

export interface Truncated {
  /** Of scale 1 and of this rank; filled up with zeros where the update has less */
  readonly update: LowRank
  /** ‖what was cut‖ / ‖ΔW‖; 0 for an update of zeros */
  readonly error: number
}

export function truncated(update: LowRank, rank: number): Truncated {
  const {columns, rows} = update
  const left = orthogonal(columnsOf(update))
  const right = orthogonal(rowsOf(update))
  const {u, values, v} = singularValues(left.triangle, right.triangle)
  const [up, down] = [new Float32Array(rows * rank), new Float32Array(rank * columns)]
  for (let k = 0; k < Math.min(rank, values.length); k++) {
    const root = Math.sqrt(values[k])
    combined(left.basis, u[k], rows).forEach((value, row) => (up[row * rank + k] = root * value))
    combined(right.basis, v[k], columns).forEach((value, column) => (down[k * columns + column] = root * value))
  }
  const squares = (from: number): number => values.slice(from).reduce((sum, value) => sum + value * value, 0)
  const all = squares(0)
  return {
    error: all === 0 ? 0 : Math.sqrt(squares(rank) / all),
    update: {columns, down, rank, rows, scale: 1, up},
  }
}

function columnsOf({rank, rows, scale, up}: LowRank): Columns {
  return Array.from({length: rank}, (_, k) =>
    Float64Array.from({length: rows}, (__, row) => scale * up[row * rank + k]),
  )
}

function rowsOf({columns, down, rank}: LowRank): Columns {
  return Array.from({length: rank}, (_, k) => Float64Array.from(down.subarray(k * columns, (k + 1) * columns)))
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** What is left of a column below this share of it is rounding. */
const NOTHING = 1e-13

/** Orthonormal columns, and by what they make each of the given ones: triangle[j] are the coordinates of column j. */
function orthogonal(given: Columns): {readonly basis: Columns; readonly triangle: Columns} {
  const basis: Float64Array[] = []
  const triangle = given.map((column) => {
    const coordinates = new Float64Array(given.length)
    const rest = column.slice()
    for (let pass = 0; pass < 2; pass++) {
      for (const [index, unit] of basis.entries()) {
        const share = dot(unit, rest)
        coordinates[index] += share
        for (let i = 0; i < rest.length; i++) rest[i] -= share * unit[i]
      }
    }
    const length = Math.sqrt(dot(rest, rest))
    if (length > NOTHING * Math.sqrt(dot(column, column))) {
      coordinates[basis.length] = length
      basis.push(rest.map((value) => value / length))
    }
    return coordinates
  })
  return {basis, triangle: triangle.map((coordinates) => coordinates.subarray(0, basis.length))}
}

function combined(basis: Columns, weights: Float64Array, length: number): Float64Array {
  const sum = new Float64Array(length)
  for (const [index, unit] of basis.entries()) {
    for (let i = 0; i < length; i++) sum[i] += weights[index] * unit[i]
  }
  return sum
}

interface Singular {
  readonly u: Columns
  /** Falling */
  readonly values: readonly number[]
  readonly v: Columns
}

/** Of Σ_j left[j] right[j]ᵀ, by rotating pairs of its columns until all are orthogonal. */
function singularValues(left: Columns, right: Columns): Singular {
  const width = right.at(0)?.length ?? 0
  const product = Array.from({length: width}, (_, column) => {
    const sum = new Float64Array(left.at(0)?.length ?? 0)
    for (const [j, own] of left.entries()) {
      for (let i = 0; i < sum.length; i++) sum[i] += own[i] * right[j][column]
    }
    return sum
  })
  const turns = Array.from({length: width}, (_, column) =>
    Float64Array.from({length: width}, (__, i) => +(i === column)),
  )
  for (let sweep = 0; sweep < SWEEPS && rotateAll(product, turns); sweep++);
  const order = product
    .map((column, index) => ({index, value: Math.sqrt(dot(column, column))}))
    .filter(({value}) => value > 0)
    .sort((a, b) => b.value - a.value)
  return {
    u: order.map(({index, value}) => product[index].map((own) => own / value)),
    values: order.map(({value}) => value),
    v: order.map(({index}) => turns[index]),
  }
}

/** Far more than it ever takes. */
const SWEEPS = 60

/** Cosine of two columns below which they count as orthogonal. */
const ORTHOGONAL = 1e-15

/** One sweep over all pairs; whether any was turned. */
function rotateAll(columns: Columns, turns: Columns): boolean {
  let turned = false
  for (let p = 0; p < columns.length; p++) {
    for (let q = p + 1; q < columns.length; q++) {
      const [a, b, c] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])]
      if (Math.abs(c) <= ORTHOGONAL * Math.sqrt(a * b)) continue
      turned = true
      const zeta = (b - a) / (2 * c)
      const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
      const cosine = 1 / Math.sqrt(1 + tangent * tangent)
      rotate(columns[p], columns[q], cosine, cosine * tangent)
      rotate(turns[p], turns[q], cosine, cosine * tangent)
    }
  }
  return turned
}

function rotate(p: Float64Array, q: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < p.length; i++) {
    const value = p[i]
    p[i] = cosine * value - sine * q[i]
    q[i] = sine * value + cosine * q[i]
  }
}
