/** Token ids from a file against the model that will look them up. */
import {type Dataset} from '../data/rows.js'
import {DataError, type Fault} from '../errors.js'

/** Errors: DataError naming every row (the first 20) with an id that the model does not have. */
export function checkVocabulary(vocabulary: number, sets: readonly (Dataset | null)[]): void {
  const faults: Fault[] = []
  let count = 0
  for (const set of sets) {
    for (const {ids, labels, where} of set?.examples ?? []) {
      const beyond = ids.find((id) => id >= vocabulary) ?? labels.find((label) => label >= vocabulary)
      if (beyond === undefined) continue
      count++
      if (count <= 20) {
        faults.push({message: `token id ${beyond} is beyond the model's vocabulary of ${vocabulary}`, where})
      }
    }
  }
  if (count > 0) {
    throw new DataError(`${count} rows hold token ids that the model does not have.`, {
      faults,
      hint: 'Check that the data was made with the tokenizer of this model.',
    })
  }
}
