/** Buffers whose rows lie as those of another buffer do: where the gradients of its slices of columns come together. */
import {type Allocation} from './buffer-pool.js'
import {type Format} from './shader.js'

interface Beside {
  readonly allocation: Allocation
  /** The requests that got the two buffers: either may have been given back and taken for something else. */
  readonly rowsTaken: number
  readonly taken: number
  /** First columns of the slices that were given out: a second tensor for one of them is a tensor of its own. */
  readonly given: Set<number>
}

export class Besides {
  private readonly known = new WeakMap<Allocation, Map<Format, Beside>>()

  /** The buffer beside these rows, if a tensor holds it still and the slice that begins at `offset` is free. */
  find(rows: Allocation, format: Format, offset: number): Allocation | null {
    const beside = this.known.get(rows)?.get(format)
    if (beside?.rowsTaken !== rows.taken) return null
    const {allocation, given, taken} = beside
    if (allocation.holders === 0 || allocation.taken !== taken || given.has(offset)) return null
    given.add(offset)
    return allocation
  }

  /** A new one, of which the slice at `offset` is given out. */
  add(rows: Allocation, format: Format, offset: number, allocation: Allocation): void {
    let ofRows = this.known.get(rows)
    if (!ofRows) this.known.set(rows, (ofRows = new Map<Format, Beside>()))
    ofRows.set(format, {allocation, given: new Set([offset]), rowsTaken: rows.taken, taken: allocation.taken})
  }
}
