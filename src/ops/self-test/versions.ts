/** The versions of the kernels that a GPU can run: its own, and those for lesser GPUs, which it can play. */
import {type DeviceFacts} from '../../backend/gpu/shader.js'
import {type Precision} from './subject.js'

export interface Version {
  readonly name: string
  readonly precision: Precision
  /** What the kernels are told instead of the GPU's own facts */
  readonly facts: Partial<DeviceFacts>
}

/** What WebGPU promises of every device. */
const LEAST: Partial<DeviceFacts> = {
  matrixUnits: false,
  subgroupSize: null,
  workgroupBytes: 16_384,
  workgroupInvocations: 256,
}

export function versionsFor({matrixUnits}: DeviceFacts): Version[] {
  return [
    {facts: {}, name: 'all features', precision: 'f16'},
    {facts: {}, name: 'all features', precision: 'f32'},
    ...(matrixUnits ? [{facts: {matrixUnits: false}, name: 'no matrix units', precision: 'f16'} as const] : []),
    {facts: LEAST, name: 'fewest features', precision: 'f16'},
    {facts: LEAST, name: 'fewest features', precision: 'f32'},
  ]
}
