/**
 * Compiles shaders on Dawn's null backend, which validates everything and runs nothing: also what no GPU at hand can do.
 * A shader is compiled as the program compiles it, with features and limits of the device that its code was made for.
 */
import {createLayout, withImmediates} from '../../src/backend/gpu/pipelines.js'
import {openDawn} from '../../src/backend/gpu/dawn.js'
import {type DeviceFacts, type Shader} from '../../src/backend/gpu/shader.js'

export interface ShaderChecker {
  /** What is wrong with the shader, with the line of its code; null if nothing is. */
  faultOf(shader: Shader): Promise<string | null>
  close(): void
}

/** Storage buffers that the program asks for at most */
const MOST_BUFFERS = 16

export async function openChecker(facts: DeviceFacts): Promise<ShaderChecker> {
  const gpu = await openDawn({backend: 'null', checked: true})
  const adapter = await gpu.requestAdapter()
  if (!adapter) throw new Error('the null backend has no adapter')
  const features = [
    ...(facts.f16 ? ['shader-f16'] : []),
    ...(facts.subgroupSize === null ? [] : ['subgroups']),
    ...(facts.matrixUnits ? ['chromium-experimental-subgroup-matrix'] : []),
  ]
  const device = await adapter.requestDevice({
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: {maxImmediateSize: 64},
  })
  return {
    close: () => device.destroy(),
    faultOf: (shader) => faultOf(device, facts, shader),
  }
}

async function faultOf(device: GPUDevice, facts: DeviceFacts, shader: Shader): Promise<string | null> {
  const code = withImmediates(shader.code())
  const small = withinNull(code)
  // Compiled once if all is well; else again as it is, for the place of the fault.
  const refused = await pipelineFault(device, facts, small)
  const isChanged = small.includes('var<private>')
  const compiled = refused !== null || isChanged ? await compileFault(device, code) : null
  const fault = compiled ?? bindingFault(code) ?? workgroupFault(facts, code) ?? refused
  return fault === null ? null : `${shader.name} (${shader.key}): ${fault}`
}

/** Runs GPU calls; the first error that they leave. */
async function errorOf(device: GPUDevice, work: () => unknown): Promise<string | null> {
  device.pushErrorScope('validation')
  device.pushErrorScope('internal')
  let thrown: string | null = null
  try {
    await work()
  } catch (error) {
    thrown = (error as Error).message
  }
  const scopes = [await device.popErrorScope(), await device.popErrorScope()]
  return scopes.find((error) => error !== null)?.message ?? thrown
}

async function compileFault(device: GPUDevice, code: string): Promise<string | null> {
  let info: GPUCompilationInfo | undefined
  await errorOf(device, async () => {
    info = await device.createShaderModule({code}).getCompilationInfo()
  })
  const error = info?.messages.find(({type}) => type === 'error')
  if (!error) return null
  return `${error.message}\n${numberedLine(code, error.lineNum)}`
}

function numberedLine(code: string, number: number): string {
  return `${number}: ${code.split('\n')[number - 1]?.trim() ?? ''}`
}

const BINDING = /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>/g

interface Bindings {
  readonly inputs: number
  readonly outputs: number
}

function bindingsOf(code: string): Bindings {
  const accesses = [...code.matchAll(BINDING)].map(([, , , access]) => access)
  const inputs = accesses.filter((access) => access === 'read').length
  return {inputs, outputs: accesses.length - inputs}
}

/** Bindings are numbered from 0 without a gap, inputs first: see shader.ts. */
function bindingFault(code: string): string | null {
  const {inputs, outputs} = bindingsOf(code)
  const found = [...code.matchAll(BINDING)]
    .map(([, group, slot, access]) => ({access, group, slot: Number(slot)}))
    .sort((a, b) => a.slot - b.slot)
  if (outputs === 0) return 'writes nothing'
  if (found.length > MOST_BUFFERS) return `binds ${found.length} buffers`
  const isInOrder = found.every(
    ({access, group, slot}, index) =>
      group === '0' && slot === index && access === (index < inputs ? 'read' : 'read_write'),
  )
  return isInOrder ? null : `bindings out of order: ${found.map(({access, slot}) => `${slot} ${access}`).join(', ')}`
}

/** What the null backend allows: WebGPU's smallest limits. Its subgroups have up to 128 invocations. */
const NULL_BUFFERS = 8
const NULL_INVOCATIONS = 128

/** Where the shader exceeds these limits, it is held to those of the device that it is meant for. */
async function pipelineFault(device: GPUDevice, facts: DeviceFacts, code: string): Promise<string | null> {
  const message = await errorOf(device, async () => {
    const {inputs, outputs} = bindingsOf(code)
    const layout = createLayout(device, inputs, outputs).pipeline
    const module = device.createShaderModule({code})
    await device.createComputePipelineAsync({compute: {entryPoint: 'main', module}, layout})
  })
  const storage = /workgroup storage \((\d+) bytes\)/.exec(message ?? '')
  return storage && Number(storage[1]) <= facts.workgroupBytes ? null : message
}

/** The code in small workgroups, and with arrays of its own in place of the buffers that are too many. */
function withinNull(code: string): string {
  const declared = new RegExp(`${BINDING.source}\\s*(\\w+):\\s*array<(.+)>;`, 'g')
  return code
    .replace(WORKGROUP, `@workgroup_size(${NULL_INVOCATIONS})`)
    .replace(declared, (text, _group, slot: string, _access, name: string, type: string) =>
      Number(slot) < NULL_BUFFERS ? text : `var<private> ${name}: array<${type}, 4>;`,
    )
}

const WORKGROUP = /@workgroup_size\(([^)]*)\)/

function workgroupFault({subgroupSize, workgroupInvocations}: DeviceFacts, code: string): string | null {
  const [across, ...others] = (WORKGROUP.exec(code)?.[1] ?? '').split(',').map((length) => Number.parseInt(length))
  const invocations = others.reduce((product, length) => product * length, across)
  if (!(invocations <= workgroupInvocations)) return `has workgroups of ${invocations}`
  const isDivided = !code.includes('subgroup_matrix') || across % (subgroupSize ?? 1) === 0
  return isDivided ? null : `uses matrix units in workgroups of ${across}, no multiple of a subgroup's ${subgroupSize}`
}
