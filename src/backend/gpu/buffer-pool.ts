/**
 * GPU buffers, reused. A training step asks for the same sizes in the same order each time, so a released buffer waits for
 * the next request of its size; the bind groups that name it stay valid meanwhile. Live, pooled and peak bytes are counted.
 */
import {MemoryError} from '../../errors.js'
import {memoryText} from './memory-text.js'

/** A buffer, or a share of one: several tensors may hold it. */
export interface Allocation {
  readonly id: number
  readonly buffer: GPUBuffer
  /** Bytes of the buffer */
  readonly bytes: number
  holders: number
  isDestroyed: boolean
  /** Which request of all got it last: a buffer that was given back and taken again has another */
  taken: number
  /** Number of the command batch that used it last */
  lastBatch: number
  /** Number of the wait for the device before which it was asked for last */
  lastWait: number
  /** Forgets the bind groups that name it; called before it is destroyed */
  readonly bindGroups: Set<() => void>
}

export interface GpuMemory {
  /** Bytes that tensors hold */
  readonly live: number
  /** Bytes that wait for reuse */
  readonly pooled: number
  /** The most that live and pooled together have been */
  readonly peak: number
  /** The most that tensors have held: what the work cannot do without */
  readonly mostLive: number
}

/** Sizes above this are rounded up to 1/32 of a power of two, so that batches of other lengths find buffers too. */
const EXACT_BYTES = 65_536
const GRAIN = 256

/** A buffer may be larger than asked for by this factor. */
const LOOSE = 1.125

/**
 * A buffer that was not asked for since so many waits for the device is destroyed: a training step waits once or twice.
 * Destroying earlier would cost more than it gives: a new buffer takes the driver milliseconds, and is filled with zeros.
 */
const KEPT_WAITS = 8

export function sizeClass(bytes: number): number {
  if (bytes <= EXACT_BYTES) return Math.max(GRAIN, GRAIN * Math.ceil(bytes / GRAIN))
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 5)
  return step * Math.ceil(bytes / step)
}

/**
 * Where a buffer goes in a list with the lowest number last. The next request takes the last one, so which buffers a step
 * gets does not depend on the order in which the step before gave them back, and its bind groups are found again.
 */
function placeIn(waiting: readonly Allocation[], id: number): number {
  let [low, high] = [0, waiting.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (waiting[middle].id > id) low = middle + 1
    else high = middle
  }
  return low
}

export class BufferPool {
  private readonly free = new Map<number, Allocation[]>()
  private live = 0
  private pooled = 0
  private peak = 0
  private waits = 0
  private mostLiveSinceReset = 0
  private nextId = 1
  private requests = 0
  private room: number

  /**
   * @param create makes a new buffer of that many bytes
   * @param submit hands recorded work to the GPU: a buffer must not be destroyed while work that names it is recorded only
   * @param limit bytes that live and pooled buffers may have together
   */
  constructor(
    private readonly create: (bytes: number) => GPUBuffer,
    private readonly submit: () => void,
    private readonly limit = Infinity,
  ) {
    this.room = limit
  }

  /** Errors: MemoryError where tensors would hold more than the limit. */
  allocate(wanted: number): Allocation {
    const bytes = sizeClass(wanted)
    const waiting = this.takeWaiting(bytes)
    this.live += waiting?.bytes ?? bytes
    this.mostLiveSinceReset = Math.max(this.mostLiveSinceReset, this.live)
    if (waiting) {
      this.pooled -= waiting.bytes
      return this.take(waiting)
    }
    this.stayWithinLimit(bytes)
    this.peak = Math.max(this.peak, this.live + this.pooled)
    const buffer = this.create(bytes)
    const fresh = {bindGroups: new Set<() => void>(), buffer, bytes, id: this.nextId++, lastBatch: -1}
    return this.take({...fresh, holders: 0, isDestroyed: false, lastWait: 0, taken: 0})
  }

  /** Takes this very buffer, which waits for reuse. */
  claim(allocation: Allocation): void {
    const waiting = this.free.get(allocation.bytes) ?? []
    const place = placeIn(waiting, allocation.id)
    if (waiting[place] !== allocation) throw new Error('a buffer that is in use cannot be claimed')
    waiting.splice(place, 1)
    this.live += allocation.bytes
    this.pooled -= allocation.bytes
    this.mostLiveSinceReset = Math.max(this.mostLiveSinceReset, this.live)
    this.take(allocation)
  }

  /** Keeps a waiting buffer from being given up for lack of use. */
  touch(allocation: Allocation): void {
    allocation.lastWait = this.waits
  }

  /** The number of the last request. */
  get lastRequest(): number {
    return this.requests
  }

  private take(allocation: Allocation): Allocation {
    allocation.holders = 1
    allocation.taken = ++this.requests
    allocation.lastWait = this.waits
    return allocation
  }

  /** A buffer of this size, or the smallest that is not much larger. */
  private takeWaiting(bytes: number): Allocation | undefined {
    const exact = this.free.get(bytes)?.pop()
    if (exact || bytes <= EXACT_BYTES) return exact
    let best = Infinity
    for (const [size, waiting] of this.free) {
      if (size > bytes && size <= LOOSE * bytes && size < best && waiting.length > 0) best = size
    }
    return this.free.get(best)?.pop()
  }

  /** One holder less; the last one returns the buffer. */
  release(allocation: Allocation): void {
    if (--allocation.holders > 0) return
    this.live -= allocation.bytes
    this.pooled += allocation.bytes
    let waiting = this.free.get(allocation.bytes)
    if (!waiting) this.free.set(allocation.bytes, (waiting = []))
    waiting.splice(placeIn(waiting, allocation.id), 0, allocation)
  }

  memory(): GpuMemory {
    return {live: this.live, mostLive: this.mostLiveSinceReset, peak: this.peak, pooled: this.pooled}
  }

  /** Starts a new count of the peaks. */
  resetPeak(): void {
    this.peak = this.live + this.pooled
    this.mostLiveSinceReset = this.live
  }

  /** Called at each wait for the device: destroys buffers that nobody has asked for in a while. */
  age(): void {
    this.waits++
    const unused = ({lastWait}: Allocation): boolean => lastWait < this.waits - KEPT_WAITS
    if (![...this.free.values()].some((waiting) => waiting.some(unused))) return
    this.submit()
    for (const [bytes, waiting] of this.free) {
      this.free.set(
        bytes,
        waiting.filter((allocation) => !unused(allocation)),
      )
      for (const allocation of waiting.filter(unused)) this.destroy(allocation)
    }
  }

  /** Gives up pooled buffers before live and pooled ones together pass this. Live ones may, up to the limit. */
  expectRoom(bytes: number): void {
    this.room = Math.min(this.limit, bytes)
  }

  /** Destroys all pooled buffers. */
  clear(): void {
    this.keepPooled(0)
  }

  /** Makes room for `bytes` that are already counted as live. */
  private stayWithinLimit(bytes: number): void {
    if (this.live + this.pooled <= this.room) return
    this.keepPooled(Math.max(0, this.room - this.live))
    if (this.live <= this.limit) return
    this.live -= bytes
    throw new MemoryError(
      `The limit of ${memoryText(this.limit)} is reached: ${memoryText(this.live)} of the GPU's memory are in use, and ${memoryText(bytes)} more are needed.`,
      {hint: 'Raise --gpu-memory, or lower train.batch_size (eval: --batch-size).'},
    )
  }

  private keepPooled(kept: number): void {
    if (this.pooled <= kept) return
    this.submit()
    for (const bytes of [...this.free.keys()].sort((a, b) => b - a)) {
      for (const waiting = this.free.get(bytes) ?? []; waiting.length > 0 && this.pooled > kept;) {
        this.destroy(waiting.pop() as Allocation)
      }
    }
  }

  private destroy(allocation: Allocation): void {
    for (const forget of allocation.bindGroups) forget()
    this.pooled -= allocation.bytes
    allocation.isDestroyed = true
    allocation.buffer.destroy()
  }
}
