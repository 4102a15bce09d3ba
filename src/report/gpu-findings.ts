/** What a GPU has, and what a run pays for what it lacks. */
import {type GpuDevice} from '../backend/gpu/gpu-device.js'
import {gpuMemorySize, type MemorySize} from '../backend/gpu/memory-size.js'
import {memoryText} from '../backend/gpu/memory-text.js'
import {type DeviceFacts} from '../backend/gpu/shader.js'

export interface GpuFindings {
  readonly name: string
  readonly vendor: string
  readonly architecture: string
  readonly driver: string
  /** A processor that plays GPU */
  readonly software: boolean
  readonly memory: MemorySize
  readonly traits: readonly GpuTrait[]
}

export interface GpuTrait {
  readonly trait: string
  /** What the GPU has: yes or no, or how much */
  readonly value: boolean | number
  /** The same for people */
  readonly text: string
  /** What is slower or impossible because of it; null: nothing is */
  readonly cost: string | null
}

const GIB = 2 ** 30

/** Invocations of a subgroup that the matrix units' kernels are written for */
const MATRIX_SUBGROUP = 32

/** Bytes from which on the kernels take their largest tiles */
const ENOUGH_WORKGROUP_MEMORY = 32 * 1024

export async function gpuFindings({description, name}: Pick<GpuDevice, 'description' | 'name'>): Promise<GpuFindings> {
  const {architecture, driver, facts, features, software, vendor} = description
  const memory = await gpuMemorySize({gpu: {name, software, vendor}})
  return {architecture, driver, memory, name, software, traits: traitsOf(facts, features), vendor}
}

export function traitsOf(facts: DeviceFacts, features: readonly string[]): GpuTrait[] {
  const {bindingBytes, f16, matrixUnits, subgroupSize, workgroupBytes} = facts
  const units = matrixUnits && subgroupSize === MATRIX_SUBGROUP
  const varies = features.includes('subgroups') && subgroupSize === null
  return [
    yesOrNo('matrix units', units, 'large matrix products take several times as long'),
    yesOrNo('f16 arithmetic', f16, 'no matrix units; numbers are stored in f16 all the same'),
    {
      cost: subgroupSize === null ? 'the selective scan takes longer' : null,
      text: subgroupSize === null ? (varies ? 'size varies' : 'no') : `${subgroupSize} lanes`,
      trait: 'subgroups',
      value: subgroupSize ?? false,
    },
    yesOrNo('timestamp queries', features.includes('timestamp-query'), 'bench --profile cannot tell kernels apart'),
    {
      cost: workgroupBytes < ENOUGH_WORKGROUP_MEMORY ? 'kernels work in smaller pieces' : null,
      text: `${workgroupBytes / 1024} KiB`,
      trait: 'workgroup memory',
      value: workgroupBytes,
    },
    {
      cost: bindingBytes < GIB ? 'activations that are larger are refused' : null,
      text: memoryText(bindingBytes),
      trait: 'largest tensor',
      value: bindingBytes,
    },
  ]
}

function yesOrNo(trait: string, value: boolean, cost: string): GpuTrait {
  return {cost: value ? null : cost, text: value ? 'yes' : 'no', trait, value}
}
