/** Shaders compiled once, their binding layouts, and the bind groups of buffers that are used again and again. */
import {type Allocation} from './buffer-pool.js'
import {type Shader} from './shader.js'

export interface BoundBuffer {
  readonly allocation: Allocation
  /** Bytes from the buffer's start, a multiple of 256 */
  readonly at: number
  /** Bytes that the shader may see */
  readonly bytes: number
}

/** Bytes of immediates: sixteen numbers. */
export const IMMEDIATE_BYTES = 64

interface Layout {
  readonly bindings: GPUBindGroupLayout
  readonly pipeline: GPUPipelineLayout
  readonly bindGroups: Map<string, GPUBindGroup>
}

export interface Compiled {
  readonly pipeline: GPUComputePipeline
  readonly layout: Layout
}

const COMPUTE = 0x4 // GPUShaderStage.COMPUTE, without a library that defines it

export class Pipelines {
  private readonly layouts = new Map<string, Layout>()
  private readonly compiled = new Map<string, Map<string, Compiled>>()

  /** @param watch runs GPU calls and reports their errors under this name */
  constructor(
    private readonly device: GPUDevice,
    private readonly watch: <Result>(what: string, work: () => Result) => Result,
  ) {}

  /** The pipeline of a shader that reads `inputs` buffers and writes `outputs`. */
  get(shader: Shader, inputs: number, outputs: number): Compiled {
    let versions = this.compiled.get(shader.name)
    if (!versions) this.compiled.set(shader.name, (versions = new Map<string, Compiled>()))
    let compiled = versions.get(shader.key)
    if (!compiled) versions.set(shader.key, (compiled = this.compile(shader, inputs, outputs)))
    return compiled
  }

  bindGroup(layout: Layout, buffers: readonly BoundBuffer[]): GPUBindGroup {
    let key = ''
    for (const {allocation, at, bytes} of buffers) key += `${allocation.id}+${at}:${bytes},`
    let group = layout.bindGroups.get(key)
    if (!group) {
      group = this.device.createBindGroup({
        entries: buffers.map(({allocation: {buffer}, at, bytes}, index) => ({
          binding: index,
          resource: {buffer, offset: at, size: bytes},
        })),
        layout: layout.bindings,
      })
      layout.bindGroups.set(key, group)
      const allocations = buffers.map(({allocation}) => allocation)
      // By all of its buffers: frozen weights live as long as the run, and would gather what short-lived ones leave behind.
      const forget = (): void => {
        layout.bindGroups.delete(key)
        for (const {bindGroups} of allocations) bindGroups.delete(forget)
      }
      for (const {bindGroups} of allocations) bindGroups.add(forget)
    }
    return group
  }

  private compile(shader: Shader, inputs: number, outputs: number): Compiled {
    const layout = this.layoutOf(inputs, outputs)
    return this.watch(`compiling ${shader.name} (${shader.key})`, () => {
      const module = this.device.createShaderModule({
        code: withImmediates(shader.code()),
        label: shader.name,
      })
      const pipeline = this.device.createComputePipeline({
        compute: {entryPoint: 'main', module},
        label: shader.name,
        layout: layout.pipeline,
      })
      return {layout, pipeline}
    })
  }

  private layoutOf(inputs: number, outputs: number): Layout {
    const key = `${inputs},${outputs}`
    let layout = this.layouts.get(key)
    if (!layout) this.layouts.set(key, (layout = createLayout(this.device, inputs, outputs)))
    return layout
  }
}

/** The code of a shader as it is compiled: immediates are an extension that has to be asked for, before anything else. */
export function withImmediates(code: string): string {
  return `requires immediate_address_space;\n${code}`
}

export function createLayout(device: GPUDevice, inputs: number, outputs: number): Layout {
  const bindings = device.createBindGroupLayout({
    entries: Array.from({length: inputs + outputs}, (_, binding) => ({
      binding,
      buffer: {type: binding < inputs ? 'read-only-storage' : 'storage'},
      visibility: COMPUTE,
    })),
  })
  const descriptor = {bindGroupLayouts: [bindings], immediateSize: IMMEDIATE_BYTES}
  return {bindGroups: new Map(), bindings, pipeline: device.createPipelineLayout(descriptor)}
}
