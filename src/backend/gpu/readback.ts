/** Values from the GPU to the host. The event loop goes on meanwhile. */
import {type Faults} from './faults.js'
import {patiently} from './patiently.js'

const READABLE = 0x8 | 0x1 // GPUBufferUsage: COPY_DST, MAP_READ
const READ = 0x1 // GPUMapMode

/** Staging buffers of this size are kept and used again: making one takes the driver longer than a small read. */
const KEPT_BYTES = 65_536
const kept = new WeakMap<GPUDevice, GPUBuffer[]>()

function stagingBuffer(device: GPUDevice, size: number): GPUBuffer {
  const waiting = size <= KEPT_BYTES ? kept.get(device)?.pop() : undefined
  return waiting ?? device.createBuffer({size: size <= KEPT_BYTES ? KEPT_BYTES : size, usage: READABLE})
}

function giveBack(device: GPUDevice, staging: GPUBuffer): void {
  if (staging.size !== KEPT_BYTES) return staging.destroy()
  staging.unmap()
  const waiting = kept.get(device)
  if (waiting) waiting.push(staging)
  else kept.set(device, [staging])
}

/** `bytes` from `at` on. What computes them must have been handed over. Errors: what went wrong on the GPU. */
export async function readBuffer(
  device: GPUDevice,
  faults: Faults,
  source: GPUBuffer,
  at: number,
  bytes: number,
): Promise<ArrayBuffer> {
  const size = 4 * Math.ceil(bytes / 4)
  const staging = faults.watch('reading a result', () => stagingBuffer(device, size))
  const encoder = device.createCommandEncoder()
  encoder.copyBufferToBuffer(source, at, staging, 0, size)
  device.queue.submit([encoder.finish()])
  try {
    await patiently(staging.mapAsync(READ, 0, size))
  } catch (error) {
    await faults.raise() // why the device could not answer, if that is known
    throw error
  }
  const copy = staging.getMappedRange(0, size).slice(0, bytes)
  giveBack(device, staging)
  await faults.raise()
  return copy
}
