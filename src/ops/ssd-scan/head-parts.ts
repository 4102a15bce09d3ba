/**
 * How the processor kernel divides heads into work items. A part is some heads of one group, so that it has one B and C. The
 * division depends on the shape alone, never on the number of threads, so that sums over heads always have the same bits.
 */

/** Items for each sequence, where there are heads enough. */
const ITEMS = 8

export interface HeadParts {
  /** Heads in a part; the last of a group may have fewer. */
  readonly size: number
  /** Parts of each group */
  readonly parts: number
}

export function headParts(heads: number, groups: number): HeadParts {
  const each = heads / groups
  const size = Math.ceil(each / Math.ceil(ITEMS / groups))
  return {parts: Math.ceil(each / size), size}
}
