/**
 * Sums of low-rank updates ΔW = Σ s B A without ever making ΔW, which is thousands of rows and columns where the factors
 * have a few. Norms and angles come from the small products BᵀB′ and A A′ᵀ:
 *
 *   ⟨s B A, s′ B′ A′⟩ = s s′ Σ (BᵀB′) ∘ (A A′ᵀ)
 *
 * All sums are f64.
 */

/** One update of `rows` rows; `up` may begin further inside a matrix. */
export interface LowRank {
  readonly up: Float32Array // B (rows, r)
  readonly down: Float32Array // A (r, columns)
  readonly scale: number
  readonly rank: number
  readonly rows: number
  readonly columns: number
}

/** What is added to some rows of a weight: low-rank updates, or the whole (rows, columns). */
export type Update = {readonly terms: readonly LowRank[]} | {readonly whole: Float64Array}

/** ⟨ΔW, ΔW′⟩ of two updates of the same rows and columns. */
export function innerProduct(a: Update, b: Update): number {
  if ('terms' in a && 'terms' in b) {
    return a.terms.reduce((sum, first) => sum + b.terms.reduce((own, second) => own + ofTerms(first, second), 0), 0)
  }
  const [first, second] = [multipliedOut(a), multipliedOut(b)]
  return first.reduce((sum, value, index) => sum + value * (second[index] ?? 0), 0)
}

export function norm(update: Update): number {
  return Math.sqrt(Math.max(0, innerProduct(update, update)))
}

/** Rows · columns of what it is added to */
export function numbersOf(update: Update): number {
  if ('whole' in update) return update.whole.length
  return Math.max(...update.terms.map(({columns, rows}) => rows * columns))
}

function ofTerms(a: LowRank, b: LowRank): number {
  const ups = new Float64Array(a.rank * b.rank) // BᵀB′
  for (let row = 0; row < a.rows; row++) {
    for (let i = 0; i < a.rank; i++) {
      const value = a.up[row * a.rank + i]
      for (let j = 0; j < b.rank; j++) ups[i * b.rank + j] += value * b.up[row * b.rank + j]
    }
  }
  let sum = 0
  for (let i = 0; i < a.rank; i++) {
    for (let j = 0; j < b.rank; j++) {
      let down = 0 // of A A′ᵀ
      for (let column = 0; column < a.columns; column++) {
        down += a.down[i * a.columns + column] * b.down[j * a.columns + column]
      }
      sum += ups[i * b.rank + j] * down
    }
  }
  return a.scale * b.scale * sum
}

/** ΔW itself, (rows, columns). */
export function multipliedOut(update: Update): Float64Array {
  if ('whole' in update) return update.whole
  const {columns = 0, rows = 0} = update.terms.at(0) ?? {}
  const whole = new Float64Array(rows * columns)
  for (const {down, rank, scale, up} of update.terms) {
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < rank; k++) {
        const factor = scale * up[row * rank + k]
        for (let column = 0; column < columns; column++) {
          whole[row * columns + column] += factor * down[k * columns + column]
        }
      }
    }
  }
  return whole
}

/** The same update as one of the sum of the ranks and of scale 1: [s₁B₁ s₂B₂ …] [A₁; A₂; …]. There is one term at least. */
export function stackedTerms(terms: readonly LowRank[]): LowRank {
  const [{columns, rows}] = terms
  const rank = terms.reduce((sum, term) => sum + term.rank, 0)
  const up = new Float32Array(rows * rank)
  const down = new Float32Array(rank * columns)
  let first = 0
  for (const term of terms) {
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < term.rank; k++) {
        up[row * rank + first + k] = term.scale * term.up[row * term.rank + k]
      }
    }
    down.set(term.down, first * columns)
    first += term.rank
  }
  return {columns, down, rank, rows, scale: 1, up}
}
