/**
 * Where the numbers of tensors are: on the host until a shader first wants them, then in a pooled buffer, whole or as a share
 * of one, one after another or as a slice of the columns of wider rows, in f32 or f16. Moves and converts them as needed.
 */
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError} from '../../errors.js'
import {Besides} from './besides.js'
import {type Allocation, BufferPool} from './buffer-pool.js'
import {type CommandStream} from './command-stream.js'
import {copyRows, copyRowsLaunch} from './copy-rows.wgsl.js'
import {type Faults} from './faults.js'
import {type OutputSpec, type Rows, type RowWindow, type StridedInput} from './launch.js'
import {LazySums} from './lazy-sums.js'
import {type BoundBuffer, type Pipelines} from './pipelines.js'
import {hostValues} from './host-values.js'
import {memoryText} from './memory-text.js'
import {windowStarts} from './row-windows.js'
import {type DeviceFacts, type Format} from './shader.js'
import {BYTES, bytesOf, formatOfDtype, immediatesOf, type Place, type Slice, type Stored} from './stored.js'

const BUFFER_USAGE = 0x80 | 0x4 | 0x8 // STORAGE, COPY_SRC, COPY_DST

/** Advice where a tensor is larger than a binding */
const SMALLER = 'Lower train.batch_size or data.max_length, or use --device cpu.'
const WHOLE = 'Its rows are kept apart, and what was asked for needs them together: use --device cpu.'

export interface TensorStoreParts {
  readonly device: GPUDevice
  readonly facts: DeviceFacts
  readonly faults: Faults
  readonly pipelines: Pipelines
  readonly stream: CommandStream
  readonly memoryLimit?: number | undefined
}

export class TensorStore {
  readonly pool: BufferPool
  readonly sums = new LazySums(this)
  private readonly data: tf.DataStorage<Stored>
  private readonly device: GPUDevice
  private readonly facts: DeviceFacts
  private readonly faults: Faults
  private readonly pipelines: Pipelines
  private readonly stream: CommandStream
  private readonly besides = new Besides()
  /** By kind, the tensor that is given up when the next of its kind is named */
  private readonly givenUpNext = new Map<string, Stored>()

  constructor(owner: tf.KernelBackend, {device, facts, faults, memoryLimit, pipelines, stream}: TensorStoreParts) {
    this.data = new tf.DataStorage(owner, tf.engine())
    this.device = device
    this.facts = facts
    this.faults = faults
    this.pipelines = pipelines
    this.stream = stream
    this.pool = new BufferPool(
      (bytes) => this.createBuffer(bytes),
      () => stream.submit(),
      memoryLimit,
    )
  }

  /** Tensors */
  get count(): number {
    return this.data.numDataIds()
  }

  get(dataId: tf.DataId): Stored {
    return this.data.get(dataId)
  }

  has(dataId: tf.DataId): boolean {
    return this.data.has(dataId)
  }

  /** A tensor with values on the host. */
  put(dataId: tf.DataId, values: tf.BackendValues, shape: number[], dtype: tf.DataType, references: number): void {
    const size = tf.util.sizeFromShape(shape)
    this.data.set(dataId, {dtype, host: hostValues(values, dtype), place: null, references, remade: null, size})
  }

  /** One reference less, or none; true when the tensor is gone. */
  release(dataId: tf.DataId, force: boolean): boolean {
    if (!this.data.has(dataId)) return true
    const stored = this.data.get(dataId)
    stored.references--
    if (!force && stored.references > 0) return false
    if (stored.place) this.pool.release(stored.place.allocation)
    stored.place = null
    for (const {tensor} of stored.windows ?? []) this.release(tensor.dataId, true)
    this.sums.forget(stored)
    this.data.delete(dataId)
    return true
  }

  formatOf({dataId}: tf.TensorInfo): Format {
    const {dtype, place, remade, windows} = this.data.get(dataId)
    if (windows) return this.formatOf(windows[0].tensor)
    return place?.format ?? remade?.format ?? formatOfDtype(dtype)
  }

  rowsOf({dataId, shape}: tf.TensorInfo): Rows {
    const {place} = this.data.get(dataId)
    return place?.slice ?? {offset: 0, stride: shape[shape.length - 1] ?? 1}
  }

  columns(tensor: tf.TensorInfo, from: number, width: number): tf.TensorInfo {
    const stored = this.data.get(tensor.dataId)
    const place = this.placeOf(stored)
    const {offset, stride} = this.rowsOf(tensor)
    place.allocation.holders++
    const slice = {columns: width, offset: offset + from, stride}
    const shape = [...tensor.shape.slice(0, -1), width]
    const view = this.adopt(shape, 'float32', {...place, slice})
    const unit = place.format === 'f16' ? 8 : 4
    if (slice.offset % unit !== 0 || stride % unit !== 0) this.straighten(this.data.get(view.dataId), place.format)
    return view
  }

  /** Copies a slice of columns to rows one after another; does nothing for other tensors. */
  straight({dataId}: tf.TensorInfo): void {
    const stored = this.data.get(dataId)
    if (stored.place?.slice) this.straighten(stored, stored.place.format)
  }

  allocateTogether(shapes: readonly (readonly number[])[]): {whole: tf.TensorInfo; parts: tf.TensorInfo[]} {
    const starts: number[] = []
    let bytes = 0
    for (const shape of shapes) {
      starts.push(bytes)
      bytes += 256 * Math.ceil(bytesOf(tf.util.sizeFromShape([...shape]), 'f32') / 256)
    }
    const allocation = this.pool.allocate(Math.max(bytes, 256))
    this.stream.clear(allocation)
    allocation.holders += shapes.length
    const parts = shapes.map((shape, index) =>
      this.adopt(shape, 'float32', {allocation, at: starts[index], format: 'f32', slice: null}),
    )
    return {parts, whole: this.adopt([bytes / 4], 'float32', {allocation, at: 0, format: 'f32', slice: null})}
  }

  remakeLater(kind: string, {dataId}: tf.TensorInfo, make: () => tf.TensorInfo): void {
    const before = this.givenUpNext.get(kind)
    if (before?.place && before.references > 0) {
      this.pool.release(before.place.allocation)
      before.place = null
    }
    const stored = this.data.get(dataId)
    stored.remade = {format: this.placeOf(stored).format, make}
    this.givenUpNext.set(kind, stored)
  }

  /** A tensor on a place in a buffer, or on one that it gets when it is computed. */
  adopt(shape: readonly number[], dtype: tf.DataType, place: Place | null): tf.TensorInfo {
    const dataId = {}
    const size = tf.util.sizeFromShape([...shape])
    this.data.set(dataId, {dtype, host: null, place, references: 1, remade: null, size})
    return {dataId, dtype, shape: [...shape]}
  }

  /** A tensor whose numbers are yet to be written. */
  makeOutput({beside, format, shape}: OutputSpec): tf.TensorInfo {
    const place = beside && this.placeOf(this.data.get(beside.dataId))
    if (place?.slice) return this.makeBeside(place.allocation, place.slice, format, shape)
    const allocation = this.pool.allocate(bytesOf(tf.util.sizeFromShape([...shape]), format))
    return this.adopt(shape, format === 'i32' ? 'int32' : 'float32', {allocation, at: 0, format, slice: null})
  }

  private makeBeside(rows: Allocation, slice: Slice, format: Format, shape: readonly number[]): tf.TensorInfo {
    const count = tf.util.sizeFromShape([...shape]) / slice.columns
    const {offset, stride} = slice
    const known = this.besides.find(rows, format, offset)
    if (known) known.holders++
    const allocation = known ?? this.pool.allocate(bytesOf(count * stride, format))
    if (!known) this.besides.add(rows, format, offset, allocation)
    return this.adopt(shape, 'float32', {allocation, at: 0, format, slice})
  }

  whole(slices: readonly tf.TensorInfo[]): tf.TensorInfo | null {
    const [first, ...others] = slices.map(({dataId}) => this.data.get(dataId).place)
    if (!first?.slice) return null
    let columns = first.slice.offset === 0 ? first.slice.columns : Number.NaN
    for (const place of others) {
      if (place?.allocation !== first.allocation || place.slice?.offset !== columns) return null
      columns += place.slice.columns
    }
    if (columns !== first.slice.stride) return null
    first.allocation.holders++
    const shape = [...slices[0].shape.slice(0, -1), columns]
    return this.adopt(shape, 'float32', {...first, slice: null})
  }

  /** A tensor whose numbers are yet to be written, in windows of rows if no binding shows it whole. */
  makeWindowed(shape: readonly number[], format: Format): tf.TensorInfo {
    const starts = windowStarts(shape, format, this.facts.bindingBytes)
    if (!starts) return this.makeOutput({format, shape})
    const whole = this.adopt(shape, 'float32', null)
    const [rows, columns] = shape
    this.data.get(whole.dataId).windows = starts.map((from, index) => ({
      from,
      tensor: this.makeOutput({format, shape: [(starts[index + 1] ?? rows) - from, columns]}),
    }))
    return whole
  }

  windowsOf({dataId}: tf.TensorInfo): readonly RowWindow[] | null {
    return this.data.get(dataId).windows ?? null
  }

  /** What a shader sees of a tensor. */
  bound(input: tf.TensorInfo | StridedInput): BoundBuffer {
    const strided = 'strided' in input
    const stored = this.data.get((strided ? input.tensor : input).dataId)
    const place = strided ? this.placeOf(stored) : this.plainPlace(stored)
    const {allocation, at, format, slice} = place
    const bytes = slice ? allocation.bytes : Math.min(bytesOf(stored.size, format), allocation.bytes - at)
    this.checkBinding(bytes)
    return {allocation, at, bytes}
  }

  /** Where the numbers are; uploads them if they are on the host only. */
  placeOf(stored: Stored): Place {
    if (stored.place) return stored.place
    if (stored.remade) return this.remake(stored, stored.remade.make())
    if (stored.windows) this.refuse(stored.size * BYTES[this.formatOf(stored.windows[0].tensor)], WHOLE)
    const {host, size} = stored
    if (!host) throw new Error('a tensor has neither values nor a buffer')
    const format = formatOfDtype(stored.dtype)
    const allocation = this.pool.allocate(bytesOf(size, format))
    this.stream.upload(allocation, 0, host)
    if (stored.dtype === 'float32') stored.host = null
    stored.place = {allocation, at: 0, format, slice: null}
    return stored.place
  }

  private remake(stored: Stored, {dataId}: tf.TensorInfo): Place {
    const made = this.data.get(dataId)
    stored.place = made.place
    made.place = null
    this.release(dataId, true)
    return this.placeOf(stored)
  }

  /** The same for shaders that want rows one after another, in a given format or whichever it has. */
  plainPlace(stored: Stored, format?: Format): Place {
    const place = this.placeOf(stored)
    if (!place.slice && (format === undefined || place.format === format)) return place
    return this.straighten(stored, format ?? place.format)
  }

  /** Copies a slice or another format to rows one after another, which the tensor has from then on. */
  private straighten(stored: Stored, format: Format): Place {
    const place = this.placeOf(stored)
    const {size} = stored
    const {columns, offset, stride} = place.slice ?? {columns: size, offset: 0, stride: size}
    const wide = [columns, offset, stride].every((value) => value % 4 === 0) || !place.slice
    const {count, grid} = copyRowsLaunch(size, format, wide)
    const rows = wide && !place.slice ? 4 * count : columns
    const allocation = this.pool.allocate(bytesOf(size, format))
    const from = {
      allocation: place.allocation,
      at: place.at,
      bytes: place.slice ? place.allocation.bytes : bytesOf(size, place.format),
    }
    const shader = copyRows({from: place.format, to: format, wide})
    const {layout, pipeline} = this.pipelines.get(shader, 1, 1)
    this.stream.dispatch({
      allocations: [place.allocation, allocation],
      bindGroup: this.pipelines.bindGroup(layout, [from, {allocation, at: 0, bytes: bytesOf(size, format)}]),
      grid,
      immediates: immediatesOf([rows, offset, wide && !place.slice ? rows : stride, count], []),
      pipeline,
      work: () => ({bytes: size * (BYTES[place.format] + BYTES[format]), name: shader.name, operations: 0}),
    })
    this.pool.release(place.allocation)
    stored.place = {allocation, at: 0, format, slice: null}
    return stored.place
  }

  private createBuffer(bytes: number): GPUBuffer {
    return this.faults.watch(`allocating ${Math.ceil(bytes / 2 ** 20)} MiB`, () =>
      this.device.createBuffer({size: bytes, usage: BUFFER_USAGE}),
    )
  }

  private checkBinding(bytes: number): void {
    if (bytes > this.facts.bindingBytes) this.refuse(bytes, SMALLER)
  }

  private refuse(bytes: number, hint: string): never {
    throw new DeviceError(
      `A tensor of ${memoryText(bytes)} is larger than this GPU lets a kernel see at once (${memoryText(this.facts.bindingBytes)}).`,
      {hint},
    )
  }
}
