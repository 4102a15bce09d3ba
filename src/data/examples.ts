/**
 * Rows become examples: written as text, tokenised, labelled, ended with EOS and made to fit. A row that has nothing to learn from is a
 * fault, because it would be silently skipped by the loss: remember that the label of position 0 never counts, nothing comes before it.
 */
import {type DataSettings, type Example, ignoredLabel, type RowFormat, type SupervisedPart} from './dataset.js'
import {conversationText} from './conversation-text.js'
import {type FaultList} from './fault-list.js'
import {afterPrompt, type MarkedText, segmentsText, whole} from './marked-text.js'
import {pairMessages} from './messages.js'
import {isSupervised, type Labelled, pieceBorders, piecesOf} from './overflow.js'
import {type Row} from './row-formats.js'
import {rowNotes, type RowCounts} from './row-notes.js'
import {type ChatTemplate, TemplateProblem} from './template.js'
import {tokenSpans} from './token-borders.js'
import {type Tokenizer} from './tokenizer.js'

export interface BuilderParts {
  readonly tokenizer: Tokenizer | null
  readonly settings: DataSettings
  readonly format: RowFormat
  readonly lossOn: SupervisedPart
  readonly template: ChatTemplate | null
  readonly faults: FaultList
  /** `beginRow` comes before the examples of a row, of which there may be several or none. */
  readonly sink: {beginRow(): void; push(example: Example): void}
}

export class ExampleBuilder {
  private readonly counts: RowCounts = {
    rows: 0,
    tooLong: 0,
    longest: 0,
    emptyPieces: 0,
    sharedBorders: 0,
    unusedLabels: 0,
  }

  constructor(private readonly parts: BuilderParts) {}

  /** Rows longer than maxLength. */
  get truncated(): number {
    return this.counts.tooLong
  }

  addRow(row: Row, where: string): void {
    this.parts.sink.beginRow()
    if (row.format === 'tokens') return this.addTokens(row.ids, row.labels, where)
    let marked: MarkedText
    try {
      marked = this.markedText(row)
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error
      return this.parts.faults.add(
        where,
        error.message,
        'data.template: chatml (or plain, or alpaca), or data.loss_on: last or all',
      )
    }

    this.addMarked(marked, where)
  }

  /** A plain text file: consecutive pieces of maxLength tokens, EOS after the last. */
  addDocument(text: string, file: string): void {
    this.parts.sink.beginRow()
    const ids = this.requireTokenizer().encode(text)
    const row = this.labelled(ids, [{begin: 0, end: ids.length}], text)
    let line = 1
    for (const [begin, end] of pieceBorders(row.ids.length, this.parts.settings.maxLength)) {
      const piece = {ids: row.ids.slice(begin, end), labels: row.labels.slice(begin, end)}
      this.counts.rows++
      this.push(piece, `${file}:${line}`)
      line +=
        this.requireTokenizer()
          .decode([...piece.ids])
          .split('\n').length - 1
    }
  }

  /** Sentences for the user about what was done to the rows. */
  notes(): string[] {
    return rowNotes(this.counts, this.parts)
  }

  private markedText(row: Exclude<Row, {format: 'tokens'}>): MarkedText {
    const {lossOn, template} = this.parts
    switch (row.format) {
      case 'text':
        return whole(row.text)
      case 'segments': {
        const marked = segmentsText(row.segments)
        return lossOn === 'all' ? whole(marked.text) : marked
      }
      case 'prompt_completion':
        if (template) return conversationText(pairMessages(row.prompt, row.completion), {}, template, lossOn)
        return lossOn === 'all' ? whole(row.prompt + row.completion) : afterPrompt(row.prompt, row.completion)
      case 'chat':
      case 'sharegpt':
      case 'alpaca':
        if (!template) throw new TypeError('a conversation reached the examples without a template')
        return conversationText(row.messages, row.besides, template, lossOn)
    }
  }

  private addMarked({text, trained}: MarkedText, where: string): void {
    const {template} = this.parts
    const tokenizer = this.requireTokenizer()
    const bos = template ? (tokenizer.chat?.bosToken ?? '') : ''
    const encode = (piece: string): readonly number[] => withoutSecondBos(tokenizer.encode(piece), piece, bos)
    const ids = encode(text)
    const spans = tokenSpans(text, ids, trained, {encode, decode: (some) => tokenizer.decode(some)})
    if (spans.some(({isShared}) => isShared)) this.counts.sharedBorders++
    this.add(this.labelled(ids, spans, text), where)
  }

  private addTokens(ids: readonly number[], labels: readonly number[] | null, where: string): void {
    const isUnused = labels !== null && this.parts.lossOn === 'all'
    if (isUnused) this.counts.unusedLabels++
    this.add({ids: Int32Array.from(ids), labels: Int32Array.from(isUnused ? ids : (labels ?? ids))}, where)
  }

  /** Labels of the trained spans, with the EOS, which an end that the text has already is not given again. */
  private labelled(ids: readonly number[], spans: readonly {begin: number; end: number}[], text: string): Labelled {
    const {appendEos, trainOnEos = true} = this.parts.settings
    const tokenizer = this.requireTokenizer()
    const {eosId} = tokenizer
    const hasEnd =
      ids.at(-1) === eosId || (this.parts.template !== null && endsIn(text, tokenizer.chat?.eosToken ?? ''))
    const added = appendEos && eosId !== null && !hasEnd ? [eosId] : []
    const all = Int32Array.from([...ids, ...added])
    const labels = new Int32Array(all.length).fill(ignoredLabel)
    for (const {begin, end} of spans) {
      const last = end === ids.length ? all.length : end
      labels.set(all.subarray(begin, last), begin)
    }

    if (!trainOnEos && eosId !== null) {
      for (const [position, label] of labels.entries()) if (label === eosId) labels[position] = ignoredLabel
    }
    return {ids: all, labels}
  }

  private add(row: Labelled, where: string): void {
    const {maxLength, overflow = 'truncate_right'} = this.parts.settings
    this.counts.rows++
    if (row.ids.length <= maxLength || !isSupervised(row.labels)) return this.push(row, where)
    this.counts.tooLong++
    this.counts.longest = Math.max(this.counts.longest, row.ids.length)
    if (overflow === 'error') {
      const message = `has ${row.ids.length} tokens, more than max_length ${maxLength}`
      return this.parts.faults.add(where, message, `data.max_length: ${row.ids.length}, or data.overflow: split`)
    }

    const pieces = piecesOf(row, maxLength, overflow)
    const kept = pieces.filter(({labels}) => isSupervised(labels))
    if (overflow === 'split') this.counts.emptyPieces += pieces.length - kept.length
    if (pieces.length > 0 && kept.length === 0) return this.reportCutOff(row, where)
    for (const piece of kept) this.push(piece, where)
  }

  private push({ids, labels}: Labelled, where: string): void {
    if (isSupervised(labels)) this.parts.sink.push({ids, labels, where})
    else this.parts.faults.add(where, nothingToLearn(ids.length))
  }

  private reportCutOff({ids, labels}: Labelled, where: string): void {
    const {maxLength} = this.parts.settings
    const first = labels.findIndex((label, position) => position > 0 && label !== ignoredLabel)
    this.parts.faults.add(
      where,
      `all supervised tokens are cut off: they begin at token ${first + 1} and max_length is ${maxLength}`,
      `data.max_length: ${ids.length}, or data.overflow: truncate_left`,
    )
  }

  private requireTokenizer(): Tokenizer {
    const {tokenizer} = this.parts
    if (tokenizer === null) throw new TypeError('rows of text reached the examples without a tokenizer')
    return tokenizer
  }
}

/** A template writes the beginning-of-sequence token, and so do some tokenizers: once is meant. */
function withoutSecondBos(ids: readonly number[], text: string, bos: string): readonly number[] {
  return bos !== '' && text.startsWith(bos) && ids.length > 1 && ids[0] === ids[1] ? ids.slice(1) : ids
}

function endsIn(text: string, end: string): boolean {
  return end !== '' && text.trimEnd().endsWith(end.trimEnd())
}

function nothingToLearn(length: number): string {
  if (length >= 2) return `has no supervised token: every label after the first is ${ignoredLabel}`
  const tokens = length === 0 ? 'no tokens' : 'a single token'
  return `has ${tokens}: a token is predicted from those before it, so a row needs two`
}
