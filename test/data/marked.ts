/** An example as text in which what is trained stands between ⟦ and ⟧, so that a mask can be written down and read. */
import {type Example} from '../../src/data/dataset.js'
import {type Tokenizer} from '../../src/data/tokenizer.js'

export function marked({ids, labels}: Example, tokenizer: Tokenizer): string {
  const stretches: {readonly trained: boolean; readonly ids: number[]}[] = []
  for (const [position, id] of ids.entries()) {
    const trained = labels[position] !== -100
    const last = stretches.at(-1)
    if (last?.trained === trained) last.ids.push(id)
    else stretches.push({ids: [id], trained})
  }
  return stretches
    .map((stretch) => {
      const text = tokenizer.decode(stretch.ids)
      return stretch.trained ? `⟦${text}⟧` : text
    })
    .join('')
}
