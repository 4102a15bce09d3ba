/** The causal convolution with SiLU as a plain function over f64 numbers. */
import {type Named, type Numbers} from '../support/values.js'

export function convF64({bias, weight, window, x}: Named): Numbers {
  const [batch, length, channels] = x.shape
  const width = weight.shape[2]
  const inputAt = (s: number, t: number, e: number): number => {
    if (t >= 0) return x.data[(s * length + t) * channels + e]
    return window ? window.data[(s * (width - 1) + width - 1 + t) * channels + e] : 0
  }
  const y = new Float64Array(batch * length * channels)
  const last = new Float64Array(batch * (width - 1) * channels)
  for (let s = 0; s < batch; s++) {
    for (let e = 0; e < channels; e++) {
      for (let t = 0; t < length; t++) {
        let sum = bias ? bias.data[e] : 0
        for (let k = 0; k < width; k++) sum += weight.data[e * width + k] * inputAt(s, t - width + 1 + k, e)
        y[(s * length + t) * channels + e] = sum / (1 + Math.exp(-sum))
      }
      for (let k = 0; k < width - 1; k++) {
        last[(s * (width - 1) + k) * channels + e] = inputAt(s, length - width + 1 + k, e)
      }
    }
  }
  return {last, y}
}
