/** The backends that every operation runs on: those of device.ts and the GPU, which computes in f32 here. */
import {BACKENDS, useBackend as useProcessor} from './device.js'
import {gpuAvailable, useGpu} from './gpu.js'

export const EVERY_BACKEND = [...BACKENDS, ...(gpuAvailable ? (['gpu'] as const) : [])]

export async function useBackend(name: (typeof EVERY_BACKEND)[number]): Promise<void> {
  if (name === 'gpu') await useGpu()
  else await useProcessor(name)
}
