/**
 * What a piece of work asked of the GPU, command by command, so that the same work on other numbers can be asked for again
 * without computing what to ask. Numbers that change from time to time come in as given arrays (slots), known by identity.
 *
 * Buffers that the work takes for itself must be free again when it is repeated, and those that it found must be the same.
 */
import {type Allocation, type BufferPool} from './buffer-pool.js'
import {type CommandListener, type CommandStream, type Dispatch, type HostNumbers} from './command-stream.js'

type Command =
  | {readonly kind: 'dispatch'; readonly dispatch: Dispatch}
  | {readonly kind: 'clear'; readonly allocation: Allocation}
  | {
      readonly kind: 'upload'
      readonly allocation: Allocation
      readonly at: number
      /** Index of the slot that the numbers come from, or numbers that stay the same */
      readonly from: number | HostNumbers
    }

export class Recording implements CommandListener {
  private readonly commands: Command[] = []
  /** Buffers that were there before, and which request had got them */
  private readonly found = new Map<Allocation, number>()
  /** Buffers that the work took for itself */
  private readonly taken = new Set<Allocation>()
  private readonly before: number
  /** A buffer was found and then taken. */
  private spoilt = false

  /** @param carried buffers that are handed over each time, whose place is known but not what got them */
  constructor(
    private readonly pool: BufferPool,
    private readonly slots: readonly HostNumbers[],
    private readonly carried: ReadonlySet<Allocation>,
  ) {
    this.before = pool.lastRequest
  }

  dispatched(dispatch: Dispatch): void {
    for (const allocation of dispatch.allocations) this.note(allocation)
    this.commands.push({dispatch: {...dispatch, work: nothingKnown}, kind: 'dispatch'})
  }

  cleared(allocation: Allocation): void {
    this.note(allocation)
    this.commands.push({allocation, kind: 'clear'})
  }

  uploaded(allocation: Allocation, at: number, values: HostNumbers): void {
    this.note(allocation)
    const slot = this.slots.indexOf(values)
    this.commands.push({allocation, at, from: slot < 0 ? values.slice() : slot, kind: 'upload'})
  }

  /** The same commands, on the same buffers. */
  equals(other: Recording): boolean {
    return (
      !this.spoilt &&
      !other.spoilt &&
      this.commands.length === other.commands.length &&
      this.commands.every((command, index) => areEqual(command, other.commands[index]))
    )
  }

  /** Every buffer is as it was when this was recorded. */
  get isReady(): boolean {
    if (this.spoilt) return false
    for (const {holders, isDestroyed} of this.taken) if (holders > 0 || isDestroyed) return false
    for (const [{holders, taken}, request] of this.found) if (holders === 0 || taken !== request) return false
    return true
  }

  hasTaken(allocation: Allocation): boolean {
    return this.taken.has(allocation)
  }

  /** Asks for the same once more, with other numbers in the slots. */
  repeat(stream: CommandStream, slots: readonly HostNumbers[]): void {
    for (const allocation of this.taken) this.pool.touch(allocation)
    for (const command of this.commands) {
      if (command.kind === 'dispatch') stream.dispatch(command.dispatch)
      else if (command.kind === 'clear') stream.clear(command.allocation)
      else {
        const {allocation, at, from} = command
        stream.upload(allocation, at, typeof from === 'number' ? slots[from] : from)
      }
    }
  }

  private note(allocation: Allocation): void {
    if (allocation.taken > this.before) this.taken.add(allocation)
    else if (!this.carried.has(allocation)) this.found.set(allocation, allocation.taken)
    if (this.taken.has(allocation) && (this.found.has(allocation) || this.carried.has(allocation))) this.spoilt = true
  }
}

/** Profiles are made of work that is not repeated. */
const nothingKnown = (): never => {
  throw new Error('a repeated dispatch cannot be profiled')
}

function areEqual(left: Command, right: Command): boolean {
  if (left.kind === 'dispatch') return right.kind === 'dispatch' && areEqualDispatches(left.dispatch, right.dispatch)
  if (left.kind === 'clear') return right.kind === 'clear' && left.allocation === right.allocation
  if (right.kind !== 'upload' || left.allocation !== right.allocation || left.at !== right.at) return false
  return typeof left.from === 'number' || typeof right.from === 'number'
    ? left.from === right.from
    : areEqualNumbers(left.from, right.from)
}

function areEqualDispatches(left: Dispatch, right: Dispatch): boolean {
  return (
    left.pipeline === right.pipeline &&
    left.bindGroup === right.bindGroup &&
    left.grid.every((count, axis) => count === right.grid[axis]) &&
    (left.immediates === right.immediates ||
      (left.immediates !== null &&
        right.immediates !== null &&
        areEqualNumbers(new Uint8Array(left.immediates), new Uint8Array(right.immediates))))
  )
}

function areEqualNumbers(left: HostNumbers, right: HostNumbers): boolean {
  return (
    left.byteLength === right.byteLength &&
    Buffer.compare(
      Buffer.from(left.buffer, left.byteOffset, left.byteLength),
      Buffer.from(right.buffer, right.byteOffset, right.byteLength),
    ) === 0
  )
}
