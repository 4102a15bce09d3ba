/**
 * B A of a LoRA entry on plain values. What PiSSA starts from is subtracted by as many ranks more, as Hugging Face PEFT does
 * when it converts such an adapter:  B A − B₀ A₀ = [B, −B₀] [A; A₀].
 */
import {type ParameterValues} from './method.js'

export interface PlainFactors {
  readonly down: ParameterValues // (r, in), or (2r, in)
  readonly up: ParameterValues // (rows, r), or (rows, 2r)
}

export interface LoraTensors extends PlainFactors {
  /** A₀ and B₀; null where nothing is subtracted */
  readonly first: PlainFactors | null
}

export function plainFactors({down, first, up}: LoraTensors): PlainFactors {
  if (!first) return {down, up}
  const [rank, inputs] = down.shape
  const [rows] = up.shape
  const downs = new Float32Array(2 * rank * inputs)
  downs.set(down.values)
  downs.set(first.down.values, rank * inputs)
  const ups = new Float32Array(rows * 2 * rank)
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < rank; k++) {
      ups[row * 2 * rank + k] = up.values[row * rank + k]
      ups[row * 2 * rank + rank + k] = -first.up.values[row * rank + k]
    }
  }
  return {down: {shape: [2 * rank, inputs], values: downs}, up: {shape: [rows, 2 * rank], values: ups}}
}
