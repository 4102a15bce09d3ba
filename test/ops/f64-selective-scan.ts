/** The selective scan as a plain function over f64 numbers, written from the equations of the paper and not from the op. */
import {type Named, type Numbers} from '../support/values.js'

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const silu = (x: number): number => x / (1 + Math.exp(-x))

export function scanF64({a, b, c, d, delta, h0, u, z}: Named): Numbers {
  const [batch, length, channels] = u.shape
  const states = a.shape[1]
  const y = new Float64Array(batch * length * channels)
  const last = h0 ? Float64Array.from(h0.data) : new Float64Array(batch * channels * states)
  for (let s = 0; s < batch; s++) {
    for (let t = 0; t < length; t++) {
      const row = s * length + t
      for (let e = 0; e < channels; e++) {
        const here = row * channels + e
        const step = softplus(delta.data[here])
        let out = d.data[e] * u.data[here]
        for (let n = 0; n < states; n++) {
          const at = (s * channels + e) * states + n
          const drive = step * b.data[row * states + n] * u.data[here]
          last[at] = Math.exp(step * a.data[e * states + n]) * last[at] + drive
          out += c.data[row * states + n] * last[at]
        }
        y[here] = out * silu(z.data[here])
      }
    }
  }
  return {last, y}
}
