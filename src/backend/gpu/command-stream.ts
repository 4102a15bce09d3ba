/**
 * Commands on their way to the GPU. Dispatches are recorded into one compute pass and handed over in batches: often enough
 * that the GPU never waits for the processor, seldom enough that handing over costs nothing.
 */
import {type Allocation} from './buffer-pool.js'
import {type Grid} from './shader.js'
import {type Profiler, type Work} from './profiler.js'

/** Dispatches in a batch. The first batches are small, so that the GPU starts early; each is twice the one before it. */
const FIRST_BATCH = 8
const BATCH = 64

export interface Dispatch {
  /** The buffers of the bind group */
  readonly allocations: readonly Allocation[]
  readonly pipeline: GPUComputePipeline
  readonly bindGroup: GPUBindGroup
  readonly immediates: ArrayBuffer | null
  readonly grid: Grid
  /** For profiles; asked for only while one is made */
  readonly work: () => Work
}

/** Hears all that is asked of the GPU, in order. */
export interface CommandListener {
  dispatched(dispatch: Dispatch): void
  cleared(allocation: Allocation): void
  uploaded(allocation: Allocation, at: number, values: HostNumbers): void
}

/** What can be uploaded. */
export type HostNumbers = Float32Array | Int32Array | Uint8Array

export class CommandStream {
  /** Number of the batch that is being recorded; all before it have been handed over. */
  batch = 0
  /** Hears each dispatch with its own pass while it is set. */
  profiler: Profiler | null = null
  listener: CommandListener | null = null
  private encoder: GPUCommandEncoder | null = null
  private pass: GPUComputePassEncoder | null = null
  private dispatches = 0
  private limit = FIRST_BATCH

  constructor(private readonly device: GPUDevice) {}

  dispatch(dispatch: Dispatch): void {
    const {allocations, bindGroup, grid, immediates, pipeline, work} = dispatch
    this.listener?.dispatched(dispatch)
    for (const allocation of allocations) allocation.lastBatch = this.batch
    const pass = this.openPass(work)
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, bindGroup)
    if (immediates) setImmediates(pass, immediates)
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2])
    if (this.profiler) this.closePass()
    if (++this.dispatches >= this.limit) {
      this.limit = Math.min(BATCH, 2 * this.limit)
      this.submit()
    }
  }

  /** Fills a buffer with zeros. */
  clear(allocation: Allocation): void {
    this.listener?.cleared(allocation)
    allocation.lastBatch = this.batch
    this.closePass()
    this.openEncoder().clearBuffer(allocation.buffer, 0, allocation.bytes)
  }

  upload(allocation: Allocation, at: number, values: HostNumbers): void {
    this.listener?.uploaded(allocation, at, values)
    // Writes go before everything recorded but not yet handed over, so what still reads the buffer has to go first.
    if (allocation.lastBatch >= this.batch) this.submit()
    this.device.queue.writeBuffer(allocation.buffer, at, values.buffer, values.byteOffset, values.byteLength)
  }

  /** Hands over what is recorded. */
  submit(): void {
    if (!this.encoder) return
    this.closePass()
    this.profiler?.resolve(this.encoder)
    this.device.queue.submit([this.encoder.finish()])
    this.encoder = null
    this.dispatches = 0
    this.batch++
  }

  /** The next batches are small again: called when the processor has waited for the GPU. */
  restart(): void {
    this.limit = FIRST_BATCH
  }

  private openEncoder(): GPUCommandEncoder {
    return (this.encoder ??= this.device.createCommandEncoder())
  }

  private openPass(work: () => Work): GPUComputePassEncoder {
    const timestampWrites = this.profiler?.begin(work())
    return (this.pass ??= this.openEncoder().beginComputePass(timestampWrites && {timestampWrites}))
  }

  private closePass(): void {
    this.pass?.end()
    this.pass = null
  }
}

/** Immediates are not in the published types yet. */
function setImmediates(pass: GPUComputePassEncoder, data: ArrayBuffer): void {
  ;(pass as unknown as {setImmediates(at: number, data: ArrayBuffer): void}).setImmediates(0, data)
}
