/** Head and summed cross-entropy as a plain function over f64 numbers. */
import {type Named, type Numbers} from '../support/values.js'

export function headLossF64({hidden, inner: update, labels, up, weight}: Named): Numbers {
  const [vocabulary, inner] = weight.shape
  const rank = up?.shape[1] ?? 0
  let loss = 0
  labels.data.forEach((label, row) => {
    if (label < 0) return
    const logits = Float64Array.from({length: vocabulary}, (_, word) => {
      let sum = 0
      for (let i = 0; i < inner; i++) sum += hidden.data[row * inner + i] * weight.data[word * inner + i]
      for (let k = 0; k < rank; k++) sum += update.data[row * rank + k] * up.data[word * rank + k]
      return sum
    })
    const largest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity)
    loss += largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) - logits[label]
  })
  return {loss: Float64Array.of(loss)}
}
