/** RMSNorm as a plain function over f64 numbers. */
import {type Named, type Numbers} from '../support/values.js'

export function normF64({weight, x}: Named, epsilon: number): Numbers {
  const columns = weight.data.length
  const y = new Float64Array(x.data.length)
  for (let start = 0; start < y.length; start += columns) {
    let squares = 0
    for (let i = 0; i < columns; i++) squares += x.data[start + i] ** 2
    const root = Math.sqrt(squares / columns + epsilon)
    for (let i = 0; i < columns; i++) y[start + i] = (x.data[start + i] / root) * weight.data[i]
  }
  return {y}
}
