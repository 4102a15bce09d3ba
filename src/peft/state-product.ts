/** U Vᵀ of a first state of low rank, matrix by matrix where there are heads, on plain values with sums in f64. */
import {type ParameterValues} from './method.js'

/** U (…, P, r), V (…, N, r) → (…, P, N) */
export function stateProduct(u: ParameterValues, v: ParameterValues): ParameterValues {
  const [rows, rank] = u.shape.slice(-2)
  const [columns] = v.shape.slice(-2)
  const heads = u.values.length / (rows * rank)
  const values = new Float32Array(heads * rows * columns)
  for (let at = 0; at < values.length; at++) {
    const row = Math.trunc(at / columns) // of all heads
    const column = Math.trunc(row / rows) * columns + (at % columns)
    let sum = 0
    for (let k = 0; k < rank; k++) sum += u.values[row * rank + k] * v.values[column * rank + k]
    values[at] = sum
  }
  return {shape: [...u.shape.slice(0, -1), columns], values}
}
