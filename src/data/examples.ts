/**
 * Rows become examples: tokenised, labelled, ended with EOS and cut to length. A row that has nothing to learn from is a fault, because it
 * would be silently skipped by the loss: remember that the label of position 0 never counts, nothing comes before it.
 */
import {type DataSettings, type Example, ignoredLabel, type RowFormat, type SupervisedPart} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type Row} from './row-formats.js'
import {type Tokenizer} from './tokenizer.js'

const lossWords: Readonly<Record<SupervisedPart, string>> = {
  all: 'all tokens',
  completion: 'the completions only, not on the prompts',
  labelled: `the labelled tokens (labels other than ${ignoredLabel})`,
}

export class ExampleBuilder {
  readonly examples: Example[] = []
  /** Rows longer than maxLength, and the longest of them. */
  truncated = 0
  private longest = 0
  /** Rows in which a token spans the end of the prompt and the start of the completion. */
  private sharedBoundaries = 0
  /** Rows of ids whose labels were passed over because the loss is on all tokens. */
  private unusedLabels = 0

  constructor(
    private readonly tokenizer: Tokenizer | null,
    private readonly settings: DataSettings,
    readonly format: RowFormat,
    readonly lossOn: SupervisedPart,
    private readonly faults: FaultList,
  ) {}

  addRow(row: Row, where: string): void {
    if (row.format === 'tokens') this.addTokens(row.ids, row.labels, where)
    else if (row.format === 'text') this.addFrom(0, this.withEos(this.encode(row.text)), where)
    else this.addPromptCompletion(row.prompt, row.completion, where)
  }

  /**
   * A plain text file: consecutive pieces of maxLength tokens, EOS after the last. A single token left over would have nothing to be
   * predicted from, so the piece before it gives one up.
   */
  addDocument(text: string, file: string): void {
    const ids = this.withEos(this.encode(text))
    const {maxLength} = this.settings
    let line = 1
    for (let begin = 0; begin < ids.length;) {
      const leavesOne = ids.length - begin === maxLength + 1
      const piece = ids.slice(begin, begin + (leavesOne && maxLength > 2 ? maxLength - 1 : maxLength))
      this.addFrom(0, piece, `${file}:${line}`)
      line += this.requireTokenizer().decode(piece).split('\n').length - 1
      begin += piece.length
    }
  }

  /** Sentences for the user about what was done to the rows. */
  notes(): string[] {
    const {sharedBoundaries, truncated, unusedLabels} = this
    const notes = [`The loss is on ${lossWords[this.lossOn]}.`]
    if (truncated > 0) {
      const {maxLength} = this.settings
      const rows = `${truncated} of ${this.examples.length} (the longest has ${this.longest} tokens)`
      notes.push(`Rows cut on the right to max_length ${maxLength}: ${rows}.`)
    }

    if (sharedBoundaries > 0) {
      const what = 'a token spans the end of the prompt and the start of the completion, and counts as completion'
      notes.push(`Rows in which ${what}: ${sharedBoundaries} of ${this.examples.length}.`)
    }

    if (unusedLabels > 0) notes.push(`Rows whose labels are not used, because data.loss_on is all: ${unusedLabels}.`)
    return notes
  }

  private addPromptCompletion(prompt: string, completion: string, where: string): void {
    const promptIds = this.encode(prompt)
    const ids = this.encode(prompt + completion)
    let boundary = 0
    while (boundary < promptIds.length && promptIds[boundary] === ids[boundary]) boundary++
    if (boundary < promptIds.length) this.sharedBoundaries++
    this.addFrom(this.lossOn === 'all' ? 0 : boundary, this.withEos(ids), where)
  }

  private addTokens(ids: readonly number[], labels: readonly number[] | null, where: string): void {
    if (labels === null || this.lossOn === 'all') {
      if (labels !== null) this.unusedLabels++
      this.addFrom(0, ids, where)
    } else {
      this.push(ids, Int32Array.from(labels), where)
    }
  }

  /** An example whose labels are its own ids from position `first` on. */
  private addFrom(first: number, ids: readonly number[], where: string): void {
    this.push(ids, Int32Array.from(ids).fill(ignoredLabel, 0, first), where)
  }

  private push(ids: readonly number[], labels: Int32Array, where: string): void {
    const {maxLength} = this.settings
    if (ids.length > maxLength) {
      this.truncated++
      this.longest = Math.max(this.longest, ids.length)
    }

    const kept = labels.slice(0, maxLength)
    if (isSupervised(kept)) {
      this.examples.push({ids: Int32Array.from(ids.slice(0, maxLength)), labels: kept, where})
    } else if (isSupervised(labels)) {
      const first = labels.findIndex((label, position) => position > 0 && label !== ignoredLabel)
      this.faults.add(
        where,
        `all supervised tokens are cut off: they begin at token ${first + 1} and max_length is ${maxLength}`,
        `data.max_length: ${ids.length}, or leave such rows out`,
      )
    } else {
      this.faults.add(where, nothingToLearn(ids.length))
    }
  }

  private encode(text: string): number[] {
    return this.requireTokenizer().encode(text)
  }

  /** An end that the text already has is not written twice. */
  private withEos(ids: readonly number[]): readonly number[] {
    const eos = this.settings.appendEos ? (this.tokenizer?.eosId ?? null) : null
    return eos === null || ids.at(-1) === eos ? ids : [...ids, eos]
  }

  private requireTokenizer(): Tokenizer {
    if (this.tokenizer === null) throw new TypeError('rows of text reached the examples without a tokenizer')
    return this.tokenizer
  }
}

function isSupervised(labels: Int32Array): boolean {
  return labels.some((label, position) => position > 0 && label !== ignoredLabel)
}

function nothingToLearn(length: number): string {
  if (length >= 2) return `has no supervised token: every label after the first is ${ignoredLabel}`
  const tokens = length === 0 ? 'no tokens' : 'a single token'
  return `has ${tokens}: a token is predicted from those before it, so a row needs two`
}
