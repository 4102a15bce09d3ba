/** Time per kernel from timestamp queries. While it is on, each dispatch has a pass of its own, which costs a little itself. */

/** Queries in a set; two a dispatch. Dispatches beyond it are counted without their time. */
const QUERIES = 4096

export interface KernelTime {
  readonly name: string
  readonly calls: number
  /** Milliseconds in all calls */
  readonly ms: number
  /** Bytes of the tensors that it read and wrote, each counted once */
  readonly bytes: number
  /** Floating-point operations, for kernels that say so; else 0 */
  readonly operations: number
}

/** What one dispatch does. */
export interface Work {
  readonly name: string
  readonly bytes: number
  readonly operations: number
}

export class Profiler {
  private readonly queries: GPUQuerySet
  private readonly resolved: GPUBuffer
  private readonly works: Work[] = []

  constructor(private readonly device: GPUDevice) {
    this.queries = device.createQuerySet({count: QUERIES, type: 'timestamp'})
    this.resolved = device.createBuffer({
      size: 8 * QUERIES,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
  }

  begin(work: Work): GPUComputePassTimestampWrites | undefined {
    const index = 2 * this.works.length
    this.works.push(work)
    if (index >= QUERIES) return undefined
    return {beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1, querySet: this.queries}
  }

  /** Called before each batch is handed over. */
  resolve(encoder: GPUCommandEncoder): void {
    const count = Math.min(QUERIES, 2 * this.works.length)
    if (count > 0) encoder.resolveQuerySet(this.queries, 0, count, this.resolved, 0)
  }

  /** Sums by name, most expensive first. Everything must have been handed over. */
  async times(): Promise<KernelTime[]> {
    const bytes = 8 * QUERIES
    const staging = this.device.createBuffer({size: bytes, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ})
    const encoder = this.device.createCommandEncoder()
    encoder.copyBufferToBuffer(this.resolved, 0, staging, 0, bytes)
    this.device.queue.submit([encoder.finish()])
    await staging.mapAsync(GPUMapMode.READ)
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0))
    staging.destroy()
    const sums = new Map<string, Omit<KernelTime, 'name'>>()
    for (const [index, {bytes, name, operations}] of this.works.entries()) {
      const sum = sums.get(name) ?? {bytes: 0, calls: 0, ms: 0, operations: 0}
      if (2 * index >= QUERIES) {
        sums.set(name, {...sum, calls: sum.calls + 1})
        continue
      }
      sums.set(name, {
        bytes: sum.bytes + bytes,
        calls: sum.calls + 1,
        ms: sum.ms + Number(stamps[2 * index + 1] - stamps[2 * index]) / 1e6,
        operations: sum.operations + operations,
      })
    }
    return [...sums].map(([name, sum]) => ({name, ...sum})).sort((a, b) => b.ms - a.ms)
  }

  destroy(): void {
    this.queries.destroy()
    this.resolved.destroy()
  }
}
