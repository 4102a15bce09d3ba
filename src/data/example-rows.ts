/**
 * Where the examples of a dataset are collected: in memory, and from a certain size on in a file, of which an index of offsets is all
 * that stays in memory. Everything after takes an array of examples, and gets one in either case.
 */
import {type Dataset, type Example} from './dataset.js'
import {GrowingNumbers} from './growing-numbers.js'
import {type RowFacts, RowStoreWriter, type StorePlace} from './row-store.js'

export type {StorePlace} from './row-store.js'

/** Bytes of examples that stay in memory. */
const IN_MEMORY = 2 ** 27

/** Of an example that is kept: its objects, besides ids and labels */
const OVERHEAD = 400

export class ExampleRows {
  length = 0
  private kept: Example[] = []
  private readonly rowBegins = new GrowingNumbers()
  private bytes = 0
  private writer: RowStoreWriter | null = null

  /** Without a place everything stays in memory; `key` tells what is stored, null: it is not to be found again. */
  constructor(private readonly place?: StorePlace & {readonly key: string | null}) {}

  /** What is pushed from now on is of another row. */
  beginRow(): void {
    this.rowBegins.push(this.length)
  }

  push(example: Example): void {
    this.length++
    if (this.writer) return this.writer.add(example)
    this.kept.push(example)
    this.bytes += 8 * example.ids.length + OVERHEAD
    if (!this.place || this.bytes <= (this.place.inMemory ?? IN_MEMORY)) return
    this.writer = new RowStoreWriter(this.place.directory, this.place.key)
    for (const early of this.kept) this.writer.add(early)
    this.kept = []
  }

  async finish(facts: RowFacts): Promise<Dataset> {
    const rowBegins = this.rowBegins.all()
    if (!this.writer) return {...facts, examples: this.kept, rowBegins}
    return this.writer.finish(facts, rowBegins)
  }

  discard(): void {
    this.writer?.discard()
  }
}
