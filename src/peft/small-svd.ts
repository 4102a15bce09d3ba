/**
 * Singular values and vectors of tall matrices of few columns, in f64: Gram-Schmidt with reorthogonalisation, and one-sided
 * Jacobi rotations on the triangle that it leaves (Golub and Van Loan, Matrix Computations, 4th edition, 5.2.8 and 8.6.3).
 */

/** A matrix by its columns. */
export type Columns = readonly Float64Array[]

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** M = Q R, with orthonormal columns of Q; r[j][i] is R's row i of column j. A column that depends on earlier ones becomes zeros. */
export function orthogonalise(columns: Columns): {q: Float64Array[]; r: Float64Array[]} {
  const q: Float64Array[] = []
  const r: Float64Array[] = []
  for (const column of columns) {
    const rest = column.slice()
    const factors = new Float64Array(columns.length)
    // Once leaves what rounding has left of the earlier columns; twice is enough.
    for (let pass = 0; pass < 2; pass++) {
      for (const [index, unit] of q.entries()) {
        const part = dot(unit, rest)
        factors[index] += part
        for (let i = 0; i < rest.length; i++) rest[i] -= part * unit[i]
      }
    }
    const length = Math.sqrt(dot(rest, rest))
    const isNew = length > 1e-12 * Math.sqrt(dot(column, column))
    factors[q.length] = isNew ? length : 0
    q.push(isNew ? rest.map((value) => value / length) : rest.fill(0))
    r.push(factors)
  }
  return {q, r}
}

/** Σ_k columns[k] · factors[j][k] for each j. */
export function combine(columns: Columns, factors: Columns): Float64Array[] {
  return factors.map((weights) => {
    const sum = new Float64Array(columns[0].length)
    for (const [k, column] of columns.entries()) {
      for (let i = 0; i < sum.length; i++) sum[i] += weights[k] * column[i]
    }
    return sum
  })
}

export interface SingularTriples {
  readonly u: Columns
  /** Falling */
  readonly values: readonly number[]
  readonly v: Columns
}

/** M = U Σ Vᵀ for a square M of few columns. */
export function jacobiSvd(matrix: Columns): SingularTriples {
  const count = matrix.length
  const work = matrix.map((column) => column.slice())
  const v = work.map((_, index) => Float64Array.from({length: count}, (__, i) => (i === index ? 1 : 0)))
  for (let sweep = 0; sweep < MOST_SWEEPS && rotateAll(work, v); sweep++);
  const lengths = work.map((column) => Math.sqrt(dot(column, column)))
  const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a])
  return {
    u: order.map((index) => work[index].map((value) => (lengths[index] > 0 ? value / lengths[index] : 0))),
    v: order.map((index) => v[index]),
    values: order.map((index) => lengths[index]),
  }
}

const MOST_SWEEPS = 60

/** One rotation for each pair of columns that are not orthogonal yet; false where all were. */
function rotateAll(work: Float64Array[], v: Float64Array[]): boolean {
  let rotated = false
  for (let p = 0; p < work.length; p++) {
    for (let q = p + 1; q < work.length; q++) {
      const [alpha, beta, gamma] = [dot(work[p], work[p]), dot(work[q], work[q]), dot(work[p], work[q])]
      if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) continue
      rotated = true
      const zeta = (beta - alpha) / (2 * gamma)
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
      const cosine = 1 / Math.sqrt(1 + tangent * tangent)
      for (const columns of [work, v]) rotate(columns[p], columns[q], cosine, cosine * tangent)
    }
  }
  return rotated
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [a[i], b[i]]
    a[i] = cosine * left - sine * right
    b[i] = sine * left + cosine * right
  }
}
