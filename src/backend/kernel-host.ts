/**
 * Where TensorFlow.js tensors meet our WebAssembly kernels.
 *
 * On the `wasm` backend kernels read and write TensorFlow.js's own memory: a tensor is a pointer, nothing is copied.
 * On any other backend (`cpu`, `tensorflow`) tensors are copied into a memory of our own and back; the kernels are the
 * same, so the numbers are too.
 */
import {readFileSync} from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import {MemoryError} from '../errors.js'
import {KernelPool} from './kernel-pool.js'
import {availableThreads, wasmHeap} from './wasm-device.js'

export interface KernelLaunch {
  readonly kernel: string
  /** Tensors that the kernel reads, by position; null is passed as pointer 0. */
  readonly inputs: readonly (tf.TensorInfo | null)[]
  /** Shapes of the f32 tensors that the kernel writes completely. */
  readonly outputs: readonly (readonly number[])[]
  /** Numbers that follow the pointers. */
  readonly numbers: readonly number[]
  /** Bytes of scratch for each thread; pointer and stride follow the numbers. Absent: no scratch parameters. */
  readonly scratch?: number
  readonly items: number
  /** Elementary steps in all: below a threshold the other threads are not woken. */
  readonly work: number
}

const SMALLEST_PARALLEL_WORK = 65_536

interface Heap {
  read(tensor: tf.TensorInfo): number
  write(shape: readonly number[]): number
  scratch(bytes: number): number
  /** The written tensors, in order of the calls of `write`; everything else is given back. */
  finish(): tf.TensorInfo[]
}

let compiled: WebAssembly.Module | undefined
const pools = new Map<WebAssembly.Memory, KernelPool>()
let privateMemory: WebAssembly.Memory | undefined

function poolOn(memory: WebAssembly.Memory): KernelPool {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../../build/kernels.wasm', import.meta.url)))
  let pool = pools.get(memory)
  if (!pool) {
    pool = new KernelPool(compiled, memory, availableThreads())
    pools.set(memory, pool)
  }
  return pool
}

/** The pool and the memory that kernels use on this backend. */
function hostOf(backend: tf.KernelBackend): {pool: KernelPool; openHeap: () => Heap} {
  const shared = wasmHeap(backend)
  if (shared?.wasm.wasmMemory) {
    return {openHeap: () => sharedHeap(shared), pool: poolOn(shared.wasm.wasmMemory)}
  }
  privateMemory ??= new WebAssembly.Memory({initial: 1, maximum: 65_536, shared: true})
  const memory = privateMemory
  return {openHeap: () => copyingHeap(backend, memory), pool: poolOn(memory)}
}

/** Calls a kernel function that only computes a number. */
export function askKernel(backend: tf.KernelBackend, name: string, ...numbers: number[]): number {
  return hostOf(backend).pool.call(name, ...numbers)
}

/** Runs a kernel and returns its outputs. */
export function launchKernel(backend: tf.KernelBackend, launch: KernelLaunch): tf.TensorInfo[] {
  const {openHeap, pool} = hostOf(backend)
  const heap = openHeap()
  const parameters = launch.inputs.map((tensor) => (tensor ? heap.read(tensor) : 0))
  for (const shape of launch.outputs) parameters.push(heap.write(shape))
  parameters.push(...launch.numbers)
  if (launch.scratch !== undefined) {
    const stride = 64 * Math.ceil(launch.scratch / 64)
    parameters.push(heap.scratch(stride * pool.threads), stride)
  }
  pool.run(launch.kernel, parameters, launch.items, launch.work >= SMALLEST_PARALLEL_WORK)
  return heap.finish()
}

type SharedBackend = NonNullable<ReturnType<typeof wasmHeap>>

function sharedHeap(backend: SharedBackend): Heap {
  const outputs: tf.TensorInfo[] = []
  const temporary: tf.TensorInfo[] = []
  const pointer = (tensor: tf.TensorInfo): number => backend.dataIdMap.get(tensor.dataId).memoryOffset
  return {
    finish() {
      for (const tensor of temporary) backend.disposeData(tensor.dataId)
      return outputs
    },
    read: pointer,
    scratch(bytes) {
      const tensor = backend.makeOutput([Math.max(1, bytes / 4)], 'float32')
      temporary.push(tensor)
      return pointer(tensor)
    },
    write(shape) {
      const tensor = backend.makeOutput(shape as number[], 'float32')
      outputs.push(tensor)
      return pointer(tensor)
    },
  }
}

function copyingHeap(backend: tf.KernelBackend, memory: WebAssembly.Memory): Heap {
  let next = 64 // pointer 0 means "absent"
  const outputs: {at: number; shape: readonly number[]}[] = []
  const reserve = (bytes: number): number => {
    const at = next
    next += 64 * Math.ceil(bytes / 64)
    const missing = next - memory.buffer.byteLength
    if (missing > 0) grow(memory, missing)
    return at
  }
  return {
    finish: () =>
      outputs.map(({at, shape}) => {
        const values = new Float32Array(memory.buffer, at, tf.util.sizeFromShape(shape as number[])).slice()
        return {dataId: backend.write(values, shape as number[], 'float32'), dtype: 'float32', shape: shape as number[]}
      }),
    read(tensor) {
      const values = backend.readSync(tensor.dataId) as Float32Array | Int32Array
      const at = reserve(values.byteLength)
      new Uint8Array(memory.buffer, at, values.byteLength).set(
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      )
      return at
    },
    scratch: reserve,
    write(shape) {
      const at = reserve(4 * tf.util.sizeFromShape(shape as number[]))
      outputs.push({at, shape})
      return at
    },
  }
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  try {
    memory.grow(Math.ceil(bytes / 65_536))
  } catch (error) {
    throw new MemoryError(`Kernels need ${Math.ceil(bytes / 2 ** 20)} MiB more memory than a 4 GiB heap holds.`, {
      cause: error,
      hint: 'Lower train.batch_size or data.max_length.',
    })
  }
}

/** Ends the kernel threads. For programs and tests that close a device before they exit. */
export async function closeKernelThreads(): Promise<void> {
  await Promise.all([...pools.values()].map((pool) => pool.close()))
  pools.clear()
  privateMemory = undefined
}
