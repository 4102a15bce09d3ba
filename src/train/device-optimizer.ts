/**
 * AdamW over all adapter tensors on the GPU, with clipping by global norm. Values, accumulated gradients and moments are
 * four arenas of one layout; nothing but the norm is read back. Sums and moments are f32.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuBackend, gpuHost} from '../backend/gpu/current.js'
import {type ShaderHost} from '../backend/gpu/launch.js'
import {
  accumulateOnGpu,
  type AdamwArenas,
  normOnGpu,
  type PlacedGradient,
  stepOnGpu,
  tensorNormsOnGpu,
} from '../ops/adamw/adamw.gpu.js'
import {type Moments} from '../ops/adamw/adamw.js'
import {arenaPlaceOf, type ArenaPlace} from '../ops/adamw/parameter-arena.js'
import {RATED_BLOCK} from '../ops/adamw/adamw.wgsl.js'
import {toTensors} from '../ops/operation.js'
import {momentsIn, type Optimizer, type OptimizerSettings, type OptimizerState, ratesOf} from './optimizer.js'

interface Held {
  readonly arenas: {readonly [Name in keyof AdamwArenas]: tf.Tensor}
  /** First number and size of each tensor, (tensors, 2) int32 */
  readonly layout: tf.Tensor
  /** Factors for each block of the arena, (blocks, 2); null where all are 1 */
  readonly rates: tf.Tensor | null
  readonly owned: tf.Tensor[]
}

export class DeviceOptimizer implements Optimizer {
  private readonly host: ShaderHost
  /** Rows of the layout by name */
  private readonly rows: ReadonlyMap<string, number>
  /** Where in the arenas each tensor lies */
  private readonly parts: ReadonlyMap<string, {readonly start: number; readonly end: number}>
  /** null where nothing is trained */
  private readonly held: Held | null
  private steps = 0

  /** `variables` come from one ParameterArena. */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly settings: OptimizerSettings,
  ) {
    const host = gpuHost()
    if (!host) throw new Error('This optimizer works on the GPU only.')
    this.host = host
    this.rows = new Map([...variables.keys()].map((name, row) => [name, row]))
    const places = placesOf([...variables.values()])
    this.parts = new Map(
      [...variables].map(([name, {size}], row) => [name, {end: places[row].start + size, start: places[row].start}]),
    )
    this.held = variables.size === 0 ? null : createState(host, variables, settings)
  }

  accumulate(gradients: ReadonlyMap<string, tf.Tensor>, scale: number): void {
    if (!this.held) return
    const placed: PlacedGradient[] = []
    for (const [name, row] of this.rows) {
      const gradient = gradients.get(name)
      if (gradient) placed.push({gradient, row})
    }
    accumulateOnGpu(this.host, this.held.arenas.gradients, this.held.layout, placed, scale)
  }

  /** Copied at the call, as the step's norm is: one dispatch more, and a number for each tensor to read back. */
  async gradientNorms(): Promise<ReadonlyMap<string, number>> {
    if (!this.held) return new Map()
    const norms = tensorNormsOnGpu(this.host, this.held.arenas.gradients, this.held.layout)
    const asked = norms.data<'float32'>()
    norms.dispose()
    const values = await asked
    return new Map([...this.rows].map(([name, row]) => [name, values[row]]))
  }

  async step(learningRate: number): Promise<number> {
    if (!this.held) return 0
    // A gradient that found no memory must not become a step. Nothing to wait for unless buffers have just been made.
    const backend = gpuBackend()
    if (backend?.isUnsettled) await backend.settle()
    placesOf([...this.variables.values()])
    const [norm] = await this.handOver(this.held, learningRate)
    if (!Number.isFinite(norm)) this.steps -= 1
    return norm
  }

  /** The norm is asked for and so copied: its buffer is free for the next step, which may begin before it has arrived. */
  private handOver({arenas, rates}: Held, learningRate: number): Promise<Float32Array> {
    const norm = normOnGpu(this.host, arenas.gradients)
    try {
      // Counted before the norm is known: the step's number goes into the dispatch that decides by the norm.
      this.steps += 1
      stepOnGpu(this.host, {...arenas, rates}, norm, {...this.settings, learningRate, step: this.steps})
      return norm.data<'float32'>()
    } finally {
      norm.dispose()
    }
  }

  /** By a step whose norm is not finite: it changes nothing and makes the gradients zeros. */
  discard(): void {
    if (!this.held) return
    const norm = tf.scalar(Number.NaN)
    stepOnGpu(this.host, this.held.arenas, norm, {...this.settings, learningRate: 0, step: 1})
    norm.dispose()
  }

  async state(): Promise<OptimizerState> {
    const moments = new Map<string, Moments>()
    if (this.held) {
      const {m: ofM, v: ofV} = this.held.arenas
      const [m, v] = await Promise.all([ofM.data<'float32'>(), ofV.data<'float32'>()]) // waits for the device
      for (const [name, {end, start}] of this.parts) moments.set(name, {m: m.slice(start, end), v: v.slice(start, end)})
    }
    return {moments, steps: this.steps}
  }

  restore(state: OptimizerState): void {
    if (this.held) {
      const {m: ofM, v: ofV} = this.held.arenas
      const [m, v] = [ofM, ofV].map(({shape}) => new Float32Array(shape[0]))
      for (const [name, {end, start}] of this.parts) {
        const moments = momentsIn(state, name, end - start)
        m.set(moments.m, start)
        v.set(moments.v, start)
      }
      this.host.overwrite(ofM, m)
      this.host.overwrite(ofV, v)
    }
    this.steps = state.steps
  }

  dispose(): void {
    tf.dispose(this.held?.owned ?? [])
  }
}

function createState(host: ShaderHost, named: ReadonlyMap<string, tf.Variable>, settings: OptimizerSettings): Held {
  const variables = [...named.values()]
  const places = placesOf(variables)
  const values = places[0].whole
  const {parts, whole} = host.allocateTogether([values.shape, values.shape, values.shape])
  const [gradients, m, v] = toTensors(parts).map((part) => tf.keep(part))
  tf.dispose(toTensors([whole]))
  const rows = places.map(({start}, index) => [start, variables[index].size])
  const layout = tf.keep(tf.tensor2d(rows, [rows.length, 2], 'int32'))
  const rates = blockRates([...named.keys()], places, values.shape[0], settings)
  const owned = [gradients, m, v, layout, ...(rates ? [rates] : [])]
  return {arenas: {gradients, m, v, values}, layout, owned, rates}
}

/** The factors of each tensor for all blocks that it has numbers in; tensors begin at blocks. */
function blockRates(
  names: readonly string[],
  places: readonly ArenaPlace[],
  size: number,
  settings: OptimizerSettings,
): tf.Tensor | null {
  const all = names.map((name) => ratesOf(settings, name))
  if (all.every(({learningRate, weightDecay}) => learningRate === 1 && weightDecay === 1)) return null
  const blocks = Math.ceil(size / RATED_BLOCK)
  const factors = new Float32Array(2 * blocks)
  for (const [index, {learningRate, weightDecay}] of all.entries()) {
    const end = places[index + 1]?.start ?? size
    for (let block = places[index].start / RATED_BLOCK; block < end / RATED_BLOCK; block++) {
      factors.set([learningRate, weightDecay], 2 * block)
    }
  }
  return tf.keep(tf.tensor2d(factors, [blocks, 2]))
}

function placesOf(variables: readonly tf.Variable[]): ArenaPlace[] {
  return variables.map((variable) => {
    const place = arenaPlaceOf(variable)
    if (!place) throw new Error(`The variable ${variable.name} is not in the arena that the optimizer changes.`)
    return place
  })
}
