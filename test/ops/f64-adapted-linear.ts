/** The linear layer with a low-rank update as a plain function over f64 numbers. */
import {type Named, type Numbers, type Values} from '../support/values.js'

export function linearF64({bias, down, up, updateX, weight, x}: Named): Numbers {
  const y = timesTransposed(x, weight)
  const outputs = weight.shape[0]
  if (bias) y.data.forEach((_, index) => (y.data[index] += bias.data[index % outputs]))
  if (down && up) {
    const update = timesTransposed(timesTransposed(updateX ?? x, down), up)
    y.data.forEach((_, index) => (y.data[index] += update.data[index]))
  }
  return {y: y.data}
}

/** a · bᵀ, all axes of a but the last being rows */
function timesTransposed(a: Values, b: Values): {data: Float64Array; shape: number[]} {
  const [columns, inner] = b.shape
  const rows = a.data.length / inner
  const data = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0
      for (let i = 0; i < inner; i++) sum += a.data[row * inner + i] * b.data[column * inner + i]
      data[row * columns + column] = sum
    }
  }
  return {data, shape: [rows, columns]}
}
