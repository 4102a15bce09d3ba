/** What this machine can compute on, what `--device auto` takes of it, and what would have to be installed for more. */
import os from 'node:os'
import {type Device, startDevice} from '../backend/devices.js'
import {openGpu} from '../backend/gpu/gpu-device.js'
import {type InstalledPackage, installedTensorflow} from '../backend/tensorflow-device.js'
import {availableThreads} from '../backend/wasm-device.js'
import {programVersion} from '../checkpoint/program-version.js'
import {MambatuneError} from '../errors.js'
import {type Check} from '../ops/self-test/self-test.js'
import {gpuAdvice} from './gpu-advice.js'
import {type GpuFindings, gpuFindings} from './gpu-findings.js'

export interface MachineReport {
  readonly mambatune: string
  readonly node: string
  readonly platform: string
  readonly threads: number
  /** What `--device auto` takes, and why, in one line */
  readonly auto: Pick<Device, 'description' | 'name'>
  readonly gpu: GpuFindings | null
  /** Why there is no GPU; null if there is one */
  readonly gpu_problem: string | null
  /** What to install for a GPU, or a real one; lines */
  readonly advice: readonly string[]
  readonly tensorflow: readonly InstalledPackage[]
}

export interface DoctorReport extends MachineReport {
  /** Of `--deep`, else null */
  readonly checks: readonly Check[] | null
}

/** @param node Node's version. Errors: DeviceError when not even device `cpu` starts. */
export async function examineMachine(node: string): Promise<MachineReport> {
  const {gpu, problem} = await findGpu()
  const device = await startDevice('auto')
  const {description, name} = device
  device.close()
  return {
    advice: gpu && !gpu.software ? [] : gpuAdvice(os.platform()),
    auto: {description, name},
    gpu,
    gpu_problem: problem,
    mambatune: programVersion(),
    node,
    platform: `${os.platform()} ${os.arch()}`,
    tensorflow: installedTensorflow(),
    threads: availableThreads(),
  }
}

interface Found {
  readonly gpu: GpuFindings | null
  readonly problem: string | null
}

async function findGpu(): Promise<Found> {
  try {
    const opened = await openGpu({checked: false, precision: 'auto'})
    if (!opened) return {gpu: null, problem: 'no driver answers'}
    opened.close()
    return {gpu: await gpuFindings(opened), problem: null}
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    const [fault] = error.faults
    return {gpu: null, problem: [error.message, ...(fault ? [fault.message] : [])].join(' ')}
  }
}
