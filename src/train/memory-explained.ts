/** Out of GPU memory, in words that help: what takes how much, and which settings are predicted to fit. */
import {type Device} from '../backend/devices.js'
import {type GpuMemory} from '../backend/gpu/buffer-pool.js'
import {gpuBackend} from '../backend/gpu/current.js'
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {memoryText} from '../backend/gpu/memory-text.js'
import {type Fault, MemoryError} from '../errors.js'
import {estimateEvaluation, estimateMemory} from './memory-estimate.js'
import {fittingEvaluation, type FittingSettings, fits, fittingSettings, type RunShape} from './memory-fit.js'
import {MEMORY_PARTS, type MemoryEstimate} from './memory-parts.js'
import {type StepShape} from './memory-shape.js'

export interface MemoryContext {
  readonly available: MemorySize
  /** What the GPU has held; null where it cannot be asked */
  readonly measured: GpuMemory | null
}

/** Of the device that runs. */
export async function memoryContext(device: Device): Promise<MemoryContext> {
  const available = (await device.memory()) ?? {bytes: null, source: 'not known'}
  return {available, measured: gpuBackend()?.gpuMemory() ?? null}
}

/** While training. Another error stays as it is. `saved` is a sentence on what was saved of the run. */
export async function explainTraining(
  error: unknown,
  shape: RunShape,
  context: MemoryContext,
  saved: string | null = null,
): Promise<unknown> {
  if (!(error instanceof MemoryError)) return error
  const estimate = await estimateMemory(shape)
  const fitting = await fittingSettings(shape, roomFor(estimate, context))
  return explained(error, estimate, context, hintOf(fitting, '--set '), saved)
}

/** While evaluating. Another error stays as it is. */
export async function explainEvaluation(error: unknown, shape: StepShape, context: MemoryContext): Promise<unknown> {
  if (!(error instanceof MemoryError)) return error
  const estimate = await estimateEvaluation(shape)
  const fitting = await fittingEvaluation(shape, roomFor(estimate, context))
  return explained(error, estimate, context, hintOf(fitting, '--'), null)
}

function explained(
  error: MemoryError,
  estimate: MemoryEstimate,
  {measured}: MemoryContext,
  hint: string,
  saved: string | null,
): MemoryError {
  const message = saved === null ? error.message : `${error.message} ${saved}`
  return new MemoryError(message, {
    cause: error,
    faults: [...partFaults(estimate), ...(measured ? [measuredFault(measured)] : [])],
    hint,
  })
}

function partFaults(estimate: MemoryEstimate): Fault[] {
  return [
    ...MEMORY_PARTS.map((part) => ({message: memoryText(estimate[part]), where: part})),
    {message: `${memoryText(estimate.total)} at ${estimate.moment}, estimated`, where: 'a step in all'},
  ]
}

function measuredFault({peak}: GpuMemory): Fault {
  return {message: `${memoryText(peak)} at most until then, with buffers that wait for reuse`, where: 'measured'}
}

/** What can be counted on: what is said to be there, unless the step should have fitted into it. */
function roomFor({total}: MemoryEstimate, {available, measured}: MemoryContext): MemorySize {
  const trusted = available.bytes !== null && !fits(total, available)
  return trusted || !measured ? available : {bytes: measured.peak, source: 'what was in use at most'}
}

function hintOf(fitting: readonly FittingSettings[], prefix: string): string {
  if (fitting.length === 0) return 'No smaller batch is predicted to fit: use a smaller model, or --device cpu.'
  const choices = fitting.map(({settings, total}) => {
    const flags = settings.map((setting) => `${prefix}${setting}`).join(' ')
    return `${flags} (${memoryText(total)} predicted)`
  })
  return choices.join('\nor ')
}
