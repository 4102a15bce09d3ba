/**
 * Dawn, the WebGPU implementation, as a Node addon: the only file that loads it. The library is native code of 30 MB, so it
 * is imported when a device is asked for and not before.
 *
 * Toggles: `allow_unsafe_apis` for subgroup matrices and immediates; `vulkan_enable_f16_on_nvidia` because NVIDIA's f16 is
 * off by default after conformance failures, so numbers are checked against f32 on the device itself (`doctor --deep`).
 * The quick ones drop checks that our kernels do not need: they are proved in bounds with robustness on.
 */
import {DeviceError} from '../../errors.js'

const TOGGLES = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']
const QUICK_TOGGLES = ['disable_robustness', 'disable_workgroup_init', 'skip_validation']

export interface DawnOptions {
  /** Keep bounds checks, zeroed workgroup memory and validation: tests and `doctor --deep`. */
  readonly checked: boolean
  /** 'null' compiles and validates everything and runs nothing. */
  readonly backend?: 'null'
}

interface Dawn {
  readonly create: (options: string[]) => GPU
  readonly globals: Record<string, unknown>
}

/**
 * Dawn's root objects by their options, for as long as the program runs: it ends the process if one is collected while an
 * answer of a device of its is due, and the last answer is due after the device has been destroyed. They keep no program
 * alive; devices do, until they are destroyed.
 */
const KEY = Symbol.for('mambatune.gpu')
const holder = globalThis as unknown as Record<symbol, Map<string, GPU> | undefined>

/** Loads Dawn and opens it, once for each set of options. Errors: DeviceError when the addon does not load. */
export async function openDawn({backend, checked}: DawnOptions): Promise<GPU> {
  const {create, globals} = await loadDawn()
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, {configurable: true, value, writable: true})
  }
  const features = [...TOGGLES, ...(checked ? [] : QUICK_TOGGLES)].join()
  const options = [
    `enable-dawn-features=${features}`,
    'disable-dawn-features=timestamp_quantization', // which rounds a kernel's time to 65 µs
    ...(backend ? [`backend=${backend}`] : []),
  ]
  const opened = (holder[KEY] ??= new Map<string, GPU>())
  const gpu = opened.get(options.join()) ?? create(options)
  opened.set(options.join(), gpu)
  return gpu
}

async function loadDawn(): Promise<Dawn> {
  try {
    return (await import('webgpu')) as unknown as Dawn
  } catch (error) {
    throw new DeviceError('The library for the GPU does not load.', {
      cause: error,
      faults: [{message: error instanceof Error ? error.message.split('\n')[0] : String(error), where: 'webgpu'}],
      hint: 'Run npm ci again, or use --device cpu.',
    })
  }
}
