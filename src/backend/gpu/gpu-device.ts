/** Opens the GPU: an adapter, its features and limits, and the TensorFlow.js backend on it. */
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError} from '../../errors.js'
import {GPU_BACKEND} from './current.js'
import {openDawn} from './dawn.js'
import {GpuBackend} from './gpu-backend.js'
import {registerGpuKernels} from './kernels/register.js'
import {withQuietStderr} from './quiet-stderr.js'
import {type DeviceFacts} from './shader.js'

export interface GpuOptions {
  /** How activations and frozen matrices are stored; auto takes f16. */
  readonly precision: 'auto' | 'f16' | 'f32'
  /** Keep bounds checks and name the kernel in every error: tests and `doctor --deep`. */
  readonly checked: boolean
  /** Told to kernels instead of what the device says: `doctor --deep` has a GPU play lesser ones. */
  readonly facts?: Partial<DeviceFacts>
  /** Bytes that the program takes at most; no limit of ours if left out */
  readonly memoryLimit?: number | undefined
}

export interface GpuDevice {
  readonly backend: GpuBackend
  /** 'NVIDIA H200', as the driver names it */
  readonly name: string
  readonly description: GpuDescription
  /** Ends the device; its tensors are gone. */
  readonly close: () => void
}

/** What `doctor` tells of a GPU. */
export interface GpuDescription {
  readonly vendor: string
  readonly architecture: string
  readonly driver: string
  /** A processor that plays GPU: right, and slow */
  readonly software: boolean
  readonly facts: DeviceFacts
  readonly features: readonly string[]
}

/** Features that we use where a GPU has them. */
const WANTED = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'] as const

/** Limits that we ask for up to what the GPU has. */
const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const

/** Tensors that the largest of our kernels binds at once: the backward pass of the selective scan on packed rows. */
const MOST_BINDINGS = 16

/** A driver that computes on the processor. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software/i

/** null when no GPU answers. Errors: DeviceError when the library or the device does not start. */
export async function openGpu(options: GpuOptions): Promise<GpuDevice | null> {
  const gpu = await openDawn(options)
  const adapter = await withQuietStderr(() => gpu.requestAdapter({powerPreference: 'high-performance'}))
  if (!adapter) return null
  const device = await requestDevice(adapter)
  const description = describe(adapter, device)
  const precision = options.precision === 'auto' ? 'f16' : options.precision
  const facts = {...description.facts, ...options.facts}
  const backend = new GpuBackend({
    checked: options.checked,
    device,
    facts,
    memoryLimit: options.memoryLimit,
    precision,
  })
  const close = (): void => {
    if (tf.findBackend(GPU_BACKEND) === backend) tf.removeBackend(GPU_BACKEND)
    else backend.dispose()
  }
  return {backend, close, description, name: nameOf(adapter.info)}
}

/** Opens the GPU and makes it TensorFlow.js's current backend. */
export async function startGpu(options: GpuOptions): Promise<GpuDevice | null> {
  const opened = await openGpu(options)
  if (!opened) return null
  registerGpuKernels()
  if (tf.findBackendFactory(GPU_BACKEND)) tf.removeBackend(GPU_BACKEND)
  tf.registerBackend(GPU_BACKEND, () => opened.backend)
  await tf.setBackend(GPU_BACKEND)
  return opened
}

async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const {maxStorageBuffersPerShaderStage: bindings} = adapter.limits
  if (bindings < MOST_BINDINGS) {
    throw new DeviceError(
      `The GPU ${nameOf(adapter.info)} lets a kernel see ${bindings} tensors at once; ours need ${MOST_BINDINGS}.`,
      {hint: 'Update the graphics driver, or use --device cpu.'},
    )
  }
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]))
  const features = WANTED.filter((feature) => adapter.features.has(feature))
  try {
    return await adapter.requestDevice({
      requiredFeatures: features as unknown as GPUFeatureName[],
      requiredLimits: {...limits, maxImmediateSize: 64},
    })
  } catch (error) {
    throw new DeviceError(`The GPU ${nameOf(adapter.info)} does not start.`, {
      cause: error,
      faults: [{message: error instanceof Error ? error.message.trim() : String(error), where: 'webgpu'}],
      hint: 'Update the graphics driver, or use --device cpu.',
    })
  }
}

function nameOf({description, device, vendor}: GPUAdapterInfo): string {
  return device || description || vendor || 'an unnamed GPU'
}

function describe(adapter: GPUAdapter, device: GPUDevice): GpuDescription {
  const {info} = adapter
  const {architecture, description: driver, vendor} = info
  return {
    architecture,
    driver,
    facts: factsOf(adapter, device),
    features: [...device.features].sort(),
    software: SOFTWARE.test(`${architecture} ${driver} ${info.device}`),
    vendor,
  }
}

interface MatrixConfiguration {
  readonly componentType: string
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

export function factsOf({info}: GPUAdapter, {features, limits}: GPUDevice): DeviceFacts {
  const {subgroupMaxSize: largest, subgroupMinSize: smallest} = info
  const configurations =
    (info as unknown as {subgroupMatrixConfigs?: Iterable<MatrixConfiguration>}).subgroupMatrixConfigs ?? []
  return {
    bindingBytes: limits.maxStorageBufferBindingSize,
    f16: features.has('shader-f16'),
    matrixUnits:
      features.has('chromium-experimental-subgroup-matrix') &&
      features.has('shader-f16') &&
      [...configurations].some(
        ({componentType, K, M, N, resultComponentType}) =>
          componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16,
      ),
    subgroupSize: features.has('subgroups') && largest !== undefined && largest === smallest ? largest : null,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    workgroupInvocations: limits.maxComputeInvocationsPerWorkgroup,
  }
}
