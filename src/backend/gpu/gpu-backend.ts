/**
 * The TensorFlow.js backend on WebGPU. A tensor's numbers are on the host until a shader first wants them; from then on in
 * a pooled buffer. Results are read back without blocking: `await tensor.data()`. `dataSync` works only for values that
 * are still on the host, and for whole numbers made there.
 */
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError} from '../../errors.js'
import {type GpuMemory} from './buffer-pool.js'
import {CommandStream} from './command-stream.js'
import {Faults} from './faults.js'
import {type Add} from './lazy-sums.js'
import {describeLaunch, type Rows, type RowWindow, type ShaderHost, type ShaderLaunch} from './launch.js'
import {memoryText} from './memory-text.js'
import {patiently} from './patiently.js'
import {Pipelines} from './pipelines.js'
import {type KernelTime, Profiler, type Work} from './profiler.js'
import {randomTensor} from './random-tensor.js'
import {type NamedResults, RepeatedSteps, type RepeatedWork} from './repeated-work.js'
import {readBuffer} from './readback.js'
import {type DeviceFacts, type Format} from './shader.js'
import {BYTES, checkGrid, immediatesOf} from './stored.js'
import {TensorStore} from './tensor-store.js'

export interface GpuBackendOptions {
  readonly device: GPUDevice
  readonly facts: DeviceFacts
  readonly precision: 'f16' | 'f32'
  /** Watch every dispatch by itself, so that an error names the kernel and its shapes: tests and `doctor --deep`. */
  readonly checked: boolean
  /** Bytes that tensors and buffers waiting for reuse may take together; no limit of ours if left out */
  readonly memoryLimit?: number | undefined
}

export class GpuBackend extends tf.KernelBackend implements ShaderHost {
  readonly facts: DeviceFacts
  readonly precision: 'f16' | 'f32'
  private readonly device: GPUDevice
  private readonly checked: boolean
  private readonly faults: Faults
  private readonly pipelines: Pipelines
  private readonly store: TensorStore
  private readonly stream: CommandStream
  private readonly steps: RepeatedSteps

  constructor({checked, device, facts, memoryLimit, precision}: GpuBackendOptions) {
    super()
    this.device = device
    this.facts = facts
    this.precision = precision
    this.checked = checked
    this.faults = new Faults(device, () => describeMemory(this.gpuMemory()))
    this.stream = new CommandStream(device)
    this.pipelines = new Pipelines(device, (what, work) => this.faults.watch(what, work))
    const {faults, pipelines, stream} = this
    this.store = new TensorStore(this, {device, facts, faults, memoryLimit, pipelines, stream})
    this.steps = new RepeatedSteps(this.store, stream)
  }

  // ---- TensorFlow.js's side

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {}
    this.move(dataId, values, shape, dtype, 1)
    return dataId
  }

  override move(dataId: tf.DataId, values: tf.BackendValues, shape: number[], dtype: tf.DataType, count: number): void {
    this.store.put(dataId, values, shape, dtype, count)
  }

  override async read(dataId: tf.DataId): Promise<tf.BackendValues> {
    const stored = this.store.get(dataId)
    if (stored.host) return stored.host
    const {allocation, at} = this.store.plainPlace(stored, stored.dtype === 'float32' ? 'f32' : 'i32')
    this.stream.submit()
    const bytes = await readBuffer(this.device, this.faults, allocation.buffer, at, 4 * stored.size)
    this.stream.restart()
    this.store.pool.age()
    return stored.dtype === 'float32' ? new Float32Array(bytes) : new Int32Array(bytes)
  }

  override readSync(dataId: tf.DataId): tf.BackendValues {
    const {host} = this.store.get(dataId)
    if (!host) throw new Error('A value on the GPU cannot be read at once: use await tensor.data().')
    return host
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    return this.store.release(dataId, force)
  }

  override refCount(dataId: tf.DataId): number {
    return this.store.has(dataId) ? this.store.get(dataId).references : 0
  }

  override incRef(dataId: tf.DataId): void {
    this.store.get(dataId).references++
  }

  override numDataIds(): number {
    return this.store.count
  }

  override memory(): {unreliable: boolean} {
    return {unreliable: false}
  }

  override floatPrecision(): 32 {
    return 32
  }

  override epsilon(): number {
    return 1e-7
  }

  override dispose(): void {
    this.faults.close()
    this.stream.submit()
    this.store.pool.clear()
    this.device.destroy()
  }

  // ---- The operations' side

  launch(launch: ShaderLaunch): tf.TensorInfo[] {
    const {floats = [], grid, outputs, shader, updates = [], whole = []} = launch
    checkGrid(grid, shader.name)
    for (const tensor of updates) this.store.sums.changing(this.store.placeOf(this.store.get(tensor.dataId)).allocation)
    const inputs = launch.inputs.map((input) => this.store.bound(input))
    const made = outputs.map((spec) => this.store.makeOutput(spec))
    const changed = [...made.map((tensor) => ({strided: true as const, tensor})), ...updates].map((tensor) =>
      this.store.bound(tensor),
    )
    const {layout, pipeline} = this.pipelines.get(shader, inputs.length, changed.length)
    const bindGroup = this.pipelines.bindGroup(layout, [...inputs, ...changed])
    const work = (): Work => ({
      bytes: this.bytesOfLaunch(launch, made),
      name: launch.detail === undefined ? shader.name : `${shader.name} ${launch.detail}`,
      operations: launch.operations ?? 0,
    })
    const allocations = [...inputs, ...changed].map(({allocation}) => allocation)
    const dispatch = {allocations, bindGroup, grid, immediates: immediatesOf(whole, floats), pipeline, work}
    if (this.checked) this.faults.watch(describeLaunch(launch), () => this.stream.dispatch(dispatch))
    else this.stream.dispatch(dispatch)
    return made
  }

  /** The results of work that is asked for again and again: see repeated-work.ts. */
  repeated(work: RepeatedWork, compute: () => NamedResults): NamedResults {
    return this.checked || this.stream.profiler ? compute() : this.steps.run(work, compute)
  }

  formatOf(tensor: tf.TensorInfo): Format {
    return this.store.formatOf(tensor)
  }

  rowsOf(tensor: tf.TensorInfo): Rows {
    return this.store.rowsOf(tensor)
  }

  columns(tensor: tf.TensorInfo, from: number, width: number): tf.TensorInfo {
    return this.store.columns(tensor, from, width)
  }

  windowsOf(tensor: tf.TensorInfo): readonly RowWindow[] | null {
    return this.store.windowsOf(tensor)
  }

  whole(slices: readonly tf.TensorInfo[]): tf.TensorInfo | null {
    return this.store.whole(slices)
  }

  /** Copies a slice of columns to rows one after another; does nothing for other tensors. */
  straight(tensor: tf.TensorInfo): void {
    this.store.straight(tensor)
  }

  allocateTogether(shapes: readonly (readonly number[])[]): {whole: tf.TensorInfo; parts: tf.TensorInfo[]} {
    return this.store.allocateTogether(shapes)
  }

  remakeLater(kind: string, tensor: tf.TensorInfo, make: () => tf.TensorInfo): void {
    this.store.remakeLater(kind, tensor, make)
  }

  /** left + right, to be computed when it is read; null where that had better be done at once. */
  sumLater(left: tf.TensorInfo, right: tf.TensorInfo, add: Add): tf.TensorInfo | null {
    return this.store.sums.later(left, right, add)
  }

  termsOf(tensor: tf.TensorInfo): tf.TensorInfo[] | null {
    return this.store.sums.termsOf(tensor)
  }

  overwrite({dataId}: tf.TensorInfo, values: Float32Array): void {
    const stored = this.store.get(dataId)
    const {allocation, at, format} = this.store.placeOf(stored)
    if (format !== 'f32') throw new Error('only f32 tensors can be overwritten')
    stored.host = null
    this.store.sums.changing(allocation)
    this.stream.upload(allocation, at, values)
  }

  /** A tensor whose numbers are yet to be written, in windows of rows if no binding shows it whole. */
  empty(shape: readonly number[], format: Format): tf.TensorInfo {
    return this.store.makeWindowed(shape, format)
  }

  /** A tensor of random numbers in ±bound. */
  randomUniform(shape: readonly number[], format: 'f16' | 'f32', bound: number, seed: number): tf.TensorInfo {
    return randomTensor(this, {bound, format, seed, shape})
  }

  /** Whole numbers that shaders have changed, as they are on the GPU. */
  async readWords(tensor: tf.TensorInfo): Promise<Int32Array> {
    const stored = this.store.get(tensor.dataId)
    stored.host = null
    return (await this.read(tensor.dataId)) as Int32Array
  }

  gpuMemory(): GpuMemory {
    return this.store.pool.memory()
  }

  resetPeak(): void {
    this.store.pool.resetPeak()
  }

  /** It is not known yet whether all buffers could be made. */
  get isUnsettled(): boolean {
    return this.faults.isPending
  }

  /**
   * Waits until that is known; does not wait for work. Errors: MemoryError where a buffer could not be made, and then what
   * was computed since is worth nothing, but what was there before can be read after `recover`.
   */
  async settle(): Promise<void> {
    this.stream.submit() // so that its complaints about buffers that could not be made come before the answer
    await this.faults.raise()
  }

  /** After a MemoryError: reads answer again. */
  recover(): void {
    this.stream.submit()
    this.faults.forgetMemory()
  }

  /** Bytes that there are for us: buffers that wait for reuse are given up before more is taken. */
  expectRoom(bytes: number): void {
    this.store.pool.expectRoom(bytes)
  }

  /** Waits until everything so far is done. Errors: what went wrong on the GPU. */
  async finish(): Promise<void> {
    this.stream.submit()
    await patiently(this.device.queue.onSubmittedWorkDone())
    this.store.pool.age()
    await this.faults.raise()
  }

  /** Time per kernel of what `work` runs. Errors: DeviceError without timestamp queries. */
  async profile(work: () => Promise<void>): Promise<KernelTime[]> {
    if (!this.device.features.has('timestamp-query')) {
      throw new DeviceError('This GPU has no timestamp queries.', {hint: 'Leave out --profile.'})
    }
    await this.finish()
    const profiler = new Profiler(this.device)
    this.stream.profiler = profiler
    try {
      await work()
      await this.finish()
      return await profiler.times()
    } finally {
      this.stream.profiler = null
      profiler.destroy()
    }
  }

  // ---- Inside

  private bytesOfLaunch({inputs, updates = []}: ShaderLaunch, made: readonly tf.TensorInfo[]): number {
    const read = inputs.map((input) => ('strided' in input ? input.tensor : input))
    return [...read, ...made, ...updates, ...updates].reduce(
      (sum, tensor) => sum + this.store.get(tensor.dataId).size * BYTES[this.formatOf(tensor)],
      0,
    )
  }
}

function describeMemory({live, peak, pooled}: GpuMemory): string {
  return `In use: ${memoryText(live)}, waiting for reuse: ${memoryText(pooled)}, most so far: ${memoryText(peak)}.`
}
