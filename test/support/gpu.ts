/**
 * The GPU in tests: real or software, opened when a test first asks for it and closed after the tests of its file. Where
 * no adapter answers, a file that imports this shows a skipped test, or with MAMBATUNE_REQUIRE_GPU=1 a failed one.
 */
import {afterAll, describe, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {GPU_BACKEND} from '../../src/backend/gpu/current.js'
import {openDawn} from '../../src/backend/gpu/dawn.js'
import {type GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {type GpuDevice, startGpu} from '../../src/backend/gpu/gpu-device.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {registerGradients} from '../../src/backend/gradients.js'

export interface GpuUse {
  /** f32 unless said otherwise: it is what can be compared to other backends exactly. */
  readonly precision?: 'f16' | 'f32'
  /** Watched dispatch by dispatch, which is what tests want unless work is to be repeated as in a real run: see repeated-work.ts. */
  readonly checked?: boolean
  /** Of a lesser GPU, which this one plays */
  readonly facts?: Partial<DeviceFacts>
}

async function answers(): Promise<boolean> {
  const gpu = await openDawn({checked: true})
  return (await gpu.requestAdapter()) !== null
}

export const gpuAvailable = await answers()

/** `describe` for tests that run on the GPU. */
export const describeGpu = gpuAvailable ? describe : describe.skip

if (!gpuAvailable) {
  const noticed = process.env.MAMBATUNE_REQUIRE_GPU === '1' ? test : test.skip
  noticed('a GPU answers', () => {
    throw new Error('No GPU adapter answers. A software one: VK_DRIVER_FILES="$(scripts/install-software-gpu.sh)"')
  })
}

let opened: GpuDevice | null = null
let openedAs = ''

/** Makes the GPU TensorFlow.js's current backend. Asking for another use opens it anew, and its tensors are gone. */
export async function useGpu({checked = true, facts = {}, precision = 'f32'}: GpuUse = {}): Promise<GpuBackend> {
  const use = `${precision} ${checked} ${JSON.stringify(facts)}`
  if (!opened || openedAs !== use) {
    await close()
    tf.enableProdMode()
    await registerGradients()
    opened = await startGpu({checked, facts, precision})
    openedAs = use
    if (!opened) throw new Error('no GPU adapter answers any more')
  }
  await tf.setBackend(GPU_BACKEND)
  return opened.backend
}

async function close(): Promise<void> {
  try {
    await opened?.backend.finish()
  } finally {
    opened?.close()
    opened = null
  }
}

afterAll(close)
