/**
 * The state that the streams of a run (data/carried-rows.ts) carry from batch to batch. No gradient goes back through it:
 * truncated backpropagation through time. A step that does not come to its end leaves the state as it was before.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ModelState} from '../model/language-model.js'
import {disposeState} from '../model/read-on.js'
import {type ParameterValues} from '../peft/method.js'

/** Plain values by name, as checkpoints hold them. */
export type CarriedValues = ReadonlyMap<string, ParameterValues>

const KINDS = ['scan', 'window'] as const

export class CarriedState {
  private latest: ModelState | null

  private constructor(private settled: ModelState | null) {
    this.latest = settled
  }

  /** With these values if they are of so many rows. Else there is nothing yet, which the first batch of an epoch does not need. */
  static create(layers: number, rows: number, values: CarriedValues | null): CarriedState {
    const all = [...(values ?? [])]
    if (all.length === 0 || all.some(([, {shape}]) => shape[0] !== rows)) return new CarriedState(null)
    const named = all.map(
      ([name, {shape, values: numbers}]) => [name, tf.keep(tf.tensor(numbers, [...shape]))] as const,
    )
    return new CarriedState(stateIn(Object.fromEntries(named), layers))
  }

  /** What the next batch begins with; null before the first. */
  get current(): ModelState | null {
    return this.latest
  }

  /** Takes what a batch left. */
  advance(after: ModelState): void {
    if (this.latest !== this.settled) disposeState(this.latest)
    this.latest = after
  }

  /** The step is whole. */
  commit(): void {
    if (this.latest !== this.settled) disposeState(this.settled)
    this.settled = this.latest
  }

  /** The step was not. */
  abandon(): void {
    if (this.latest !== this.settled) disposeState(this.latest)
    this.latest = this.settled
  }

  /** As it was after the last whole step. Waits for the device. */
  async values(): Promise<CarriedValues> {
    const entries = (this.settled ?? []).flatMap((state, layer) =>
      KINDS.map(async (kind) => {
        const values = (await state[kind].data<'float32'>()).slice()
        return [`${kind}.${layer}`, {shape: state[kind].shape, values}] as const
      }),
    )
    return new Map(await Promise.all(entries))
  }

  dispose(): void {
    this.abandon()
    disposeState(this.settled)
  }
}

/** The state with zeros in rows that begin anew; `continues` (B) is 1 where a row goes on. */
export function onlyContinued(state: ModelState, continues: tf.Tensor1D): ModelState {
  const masked = <T extends tf.Tensor>(value: T): T =>
    tf.mul(value, tf.reshape(continues, [continues.size, ...value.shape.slice(1).map(() => 1)]))
  return state.map(({scan, window}) => ({scan: masked(scan), window: masked(window)}))
}

/** A state as tensors by name, and back. */
export function namedState(state: ModelState): Record<string, tf.Tensor> {
  return Object.fromEntries(
    state.flatMap((layerState, layer) => KINDS.map((kind) => [`${kind}.${layer}`, layerState[kind]])),
  )
}

export function stateIn(named: Readonly<Record<string, tf.Tensor>>, layers: number): ModelState {
  return Array.from({length: layers}, (_, layer) => ({
    scan: named[`scan.${layer}`],
    window: named[`window.${layer}`] as tf.Tensor3D,
  }))
}
