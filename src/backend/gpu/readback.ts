/** Values from the GPU to the host. The event loop goes on meanwhile. */
import {type Faults} from './faults.js'
import {patiently} from './patiently.js'

const READABLE = 0x8 | 0x1 // GPUBufferUsage: COPY_DST, MAP_READ
const READ = 0x1 // GPUMapMode

/** `bytes` from `at` on. What computes them must have been handed over. Errors: what went wrong on the GPU. */
export async function readBuffer(
  device: GPUDevice,
  faults: Faults,
  source: GPUBuffer,
  at: number,
  bytes: number,
): Promise<ArrayBuffer> {
  const size = 4 * Math.ceil(bytes / 4)
  const staging = faults.watch('reading a result', () => device.createBuffer({size, usage: READABLE}))
  const encoder = device.createCommandEncoder()
  encoder.copyBufferToBuffer(source, at, staging, 0, size)
  device.queue.submit([encoder.finish()])
  try {
    await patiently(staging.mapAsync(READ))
  } catch (error) {
    await faults.raise() // why the device could not answer, if that is known
    throw error
  }
  const copy = staging.getMappedRange().slice(0, bytes)
  staging.destroy()
  await faults.raise()
  return copy
}
