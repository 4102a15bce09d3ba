/**
 * TensorFlow.js's WebAssembly backend with threads, under Node.
 *
 * TensorFlow.js ships a threaded build and turns it off in Node, because Node's Worker takes files and not blob URLs
 * (tensorflow/tfjs#3830). The build's worker script itself runs in Node, so we give it a file (wasm-thread.cjs). The
 * build also halves the number of processors that it is told of; while it starts, it is told of twice as many as asked
 * for. Both substitutions last for the initialisation only. Measured on 2 cores: 1024×256×1024 matMul 25 → 49 GFLOP/s.
 */
import os from 'node:os'
import {fileURLToPath} from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import {type BackendWasm, setThreadsCount, setWasmPaths} from '@tensorflow/tfjs-backend-wasm'
import {DeviceError, MemoryError} from '../errors.js'
import {POOL_SIZE, trueWorkers, withFewWorkers} from './worker-pool-size.js'

interface EmscriptenThreads {
  readonly runningWorkers: readonly {unref(): void}[]
  unusedWorkers: readonly {unref(): void}[]
}

/** The part of TensorFlow.js's WebAssembly backend that our kernels need and that its types leave out. */
export interface WasmHeap {
  readonly wasm: {
    readonly wasmMemory?: WebAssembly.Memory
    readonly PThread?: EmscriptenThreads
    _malloc(bytes: number): number
  }
  readonly dataIdMap: {get(dataId: object): {readonly memoryOffset: number}}
  makeOutput(shape: readonly number[], dtype: 'float32' | 'int32'): tf.TensorInfo
}

/** Threads for kernels: the processors that this process may use, eight at most. */
export function availableThreads(): number {
  return Math.max(1, Math.min(POOL_SIZE, os.availableParallelism()))
}

/** Makes `wasm` the current TensorFlow.js backend, with `threads` threads where the platform allows it. */
export async function startWasm(threads: number): Promise<tf.KernelBackend> {
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', true)
  setThreadsCount(threads)
  // A copy whose threads wait instead of spinning; see scripts/build-tensorflow-wasm.mjs.
  setWasmPaths(fileURLToPath(new URL('../../build/', import.meta.url)))
  const realCreateObjectUrl = URL.createObjectURL.bind(URL)
  const realCpus = os.cpus.bind(os)
  const script = fileURLToPath(new URL('wasm-thread.cjs', import.meta.url))
  URL.createObjectURL = () => script
  os.cpus = () => Array.from({length: 2 * threads}, () => realCpus()[0])
  try {
    if (!(await withFewWorkers({script, threads}, () => tf.setBackend('wasm')))) {
      throw new DeviceError('The WebAssembly backend of TensorFlow.js did not start.', {hint: 'Use Node 20, 22 or 24.'})
    }
  } finally {
    URL.createObjectURL = realCreateObjectUrl
    os.cpus = realCpus
  }
  takeOutStandIns(tf.backend())
  letProcessEnd(tf.backend())
  refuseFailedAllocations(tf.backend())
  return tf.backend()
}

function takeOutStandIns(backend: unknown): void {
  const threads = (backend as WasmHeap).wasm.PThread
  if (threads) threads.unusedWorkers = trueWorkers(threads.unusedWorkers)
}

/** Idle kernel threads must not keep the program running; Emscripten holds on to those that have started. */
function letProcessEnd(backend: unknown): void {
  const threads = (backend as WasmHeap).wasm.PThread
  for (const worker of [...(threads?.runningWorkers ?? []), ...(threads?.unusedWorkers ?? [])]) worker.unref()
}

/** A full heap answers 0, which TensorFlow.js would use as an address. */
function refuseFailedAllocations(backend: unknown): void {
  const {wasm} = backend as WasmHeap
  wasm._malloc(0) // Emscripten replaces this function by the real one at its first call
  const allocate = wasm._malloc.bind(wasm)
  wasm._malloc = (bytes) => {
    const address = allocate(bytes)
    if (address === 0 && bytes > 0) {
      throw new MemoryError(
        `The 4 GiB heap of device cpu is full: ${Math.ceil(bytes / 2 ** 20)} MiB more were wanted.`,
        {
          hint: 'Lower train.batch_size or data.max_length (eval: --batch-size, --max-length).',
        },
      )
    }
    return address
  }
}

/** Heap access of the current backend if it is the threaded WebAssembly one, else null. */
export function wasmHeap(backend: unknown): (BackendWasm & WasmHeap) | null {
  const candidate = backend as BackendWasm & WasmHeap
  return candidate.wasm?.wasmMemory?.buffer instanceof SharedArrayBuffer ? candidate : null
}
