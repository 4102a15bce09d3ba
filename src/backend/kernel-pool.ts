/**
 * Runs exported functions of a WebAssembly module over work items, on this thread and on workers that share its memory.
 * It knows nothing of tensors: callers pass pointers and numbers. Every kernel's last two parameters are the work item
 * and the thread; which thread takes which item is left to chance, so a kernel's result may not depend on it.
 *
 * The call blocks until all items are done, as every TensorFlow.js processor kernel does.
 */
import {Worker} from 'node:worker_threads'

// Int32 slots of the control block: [launch number, next item, workers still busy, function, items, parameters, failed].
const LAUNCH = 0
const NEXT = 1
const BUSY = 2
const FUNCTION = 3
const ITEMS = 4
const PARAMETERS = 5
const FAILED = 6
const MOST_PARAMETERS = 64

type Kernel = (...parameters: number[]) => number | undefined

export class KernelPool {
  readonly threads: number
  private readonly kernels: Readonly<Record<string, Kernel>>
  private readonly names: readonly string[]
  private readonly control = new Int32Array(new SharedArrayBuffer(7 * 4))
  private readonly parameters = new Float64Array(new SharedArrayBuffer(MOST_PARAMETERS * 8))
  private readonly workers: readonly Worker[]

  /**
   * @param module compiled kernels, which import `env.memory`
   * @param memory the shared memory that all pointers refer to
   * @param threads this thread included
   */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number) {
    const {exports} = new WebAssembly.Instance(module, {env: {memory}})
    this.kernels = exports as Record<string, Kernel>
    this.names = Object.keys(exports)
    this.threads = threads
    const shared = {
      argumentsBuffer: this.parameters.buffer,
      control: this.control.buffer,
      memory,
      module,
      names: this.names,
    }
    this.workers = Array.from({length: threads - 1}, (_, index) => {
      const worker = new Worker(new URL('kernel-thread.mjs', import.meta.url), {
        workerData: {...shared, thread: index + 1},
      })
      worker.unref()
      return worker
    })
  }

  /** Calls a function that has no work items, on this thread: sizes of scratch memory and the like. */
  call(name: string, ...parameters: number[]): number {
    return this.kernels[name](...parameters) ?? 0
  }

  /**
   * Runs kernel `name` for items 0 … items−1 and returns when all are done.
   * @param parallel false keeps the work on this thread: waking the others costs about 50 µs
   */
  run(name: string, parameters: readonly number[], items: number, parallel = true): void {
    const kernel = this.kernels[name]
    if (!parallel || this.workers.length === 0 || items === 1) {
      for (let item = 0; item < items; item++) kernel(...parameters, item, 0)
      return
    }
    this.parameters.set(parameters)
    const {control} = this
    control[NEXT] = 0
    control[BUSY] = this.workers.length
    control[FUNCTION] = this.names.indexOf(name)
    control[ITEMS] = items
    control[PARAMETERS] = parameters.length
    Atomics.add(control, LAUNCH, 1)
    Atomics.notify(control, LAUNCH)
    try {
      for (let item = Atomics.add(control, NEXT, 1); item < items; item = Atomics.add(control, NEXT, 1)) {
        kernel(...parameters, item, 0)
      }
    } finally {
      // The others must be out before anything else starts; a lost wake-up costs a millisecond at most.
      for (let busy = Atomics.load(control, BUSY); busy > 0; busy = Atomics.load(control, BUSY)) {
        Atomics.wait(control, BUSY, busy, 1)
      }
    }
    if (Atomics.exchange(control, FAILED, 0) !== 0) throw new Error(`kernel ${name} failed on another thread`)
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()))
  }
}
