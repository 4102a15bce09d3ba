/** The SSD scan as a plain function over f64 numbers, written from the equations of the paper and not from the op. */
import {type SsdSettings} from '../../src/ops/ssd-scan/ssd-scan.js'
import {type Named, type Numbers} from '../support/values.js'

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

export function ssdScanF64(
  {a, b, c, d, delta, h0, x}: Named,
  {groups, heads, limit: [low, high]}: SsdSettings,
): Numbers {
  const [batch, length, channels] = x.shape
  const size = channels / heads
  const states = b.shape[2] / groups
  const y = new Float64Array(batch * length * channels)
  const last = h0 ? Float64Array.from(h0.data) : new Float64Array(batch * channels * states)
  for (let s = 0; s < batch; s++) {
    for (let t = 0; t < length; t++) {
      const row = s * length + t
      for (let e = 0; e < channels; e++) {
        const head = Math.floor(e / size)
        const group = Math.floor(head / (heads / groups))
        const step = Math.min(Math.max(softplus(delta.data[row * heads + head]), low), high)
        const input = x.data[row * channels + e]
        let out = d.data[head] * input
        for (let n = 0; n < states; n++) {
          const at = (s * channels + e) * states + n
          const column = (row * groups + group) * states + n
          last[at] = Math.exp(step * a.data[head]) * last[at] + step * input * b.data[column]
          out += c.data[column] * last[at]
        }
        y[row * channels + e] = out
      }
    }
  }
  return {last, y}
}
