/**
 * TensorFlow.js's gradient tape, where its public interface is too coarse for the GPU: a node's gradient gets a null for an
 * output that nothing used (TensorFlow.js would make an array of zeros on the host and upload it), and a node may keep
 * tensors that are neither inputs nor outputs. The members used here are those of @tensorflow/tfjs-core 4.22; they are not
 * in its types, and this file is the only one that knows them.
 */
import * as tf from '@tensorflow/tfjs-core'

export interface TapeNode {
  readonly id: number
  readonly kernelName: string
  readonly inputs: tf.NamedTensorMap
  readonly outputs: tf.Tensor[]
  /** Freed together with the tape. */
  readonly saved: tf.Tensor[]
  readonly gradient: (dys: (tf.Tensor | null)[]) => Record<string, () => tf.Tensor>
}

interface EngineState {
  /** Where new tensors are noted, to be freed when it ends */
  activeScope: {readonly track: readonly (tf.Tensor & {readonly kept: boolean})[]} | null
  activeTape: TapeNode[] | null
  gradientDepth: number
  kernelDepth: number
  nextTapeNodeId: number
}

/** The engine's state. */
export function engineState(): EngineState {
  return (tf.engine() as unknown as {state: EngineState}).state
}

/** True where an operation that runs now would be recorded for a gradient. */
export function isRecording(): boolean {
  const {gradientDepth, kernelDepth} = engineState()
  return gradientDepth > 0 && kernelDepth === 0
}

/** Runs `work` unrecorded, in a scope of its own that keeps what it returns. */
export function unrecorded<Result extends tf.TensorContainer>(work: () => Result): Result {
  const state = engineState()
  state.kernelDepth++
  try {
    return tf.tidy(work)
  } finally {
    state.kernelDepth--
  }
}

/** Adds a node to the tape. */
export function record(node: Omit<TapeNode, 'id'>): void {
  const state = engineState()
  state.activeTape?.push({...node, id: state.nextTapeNodeId++})
}

/** What the last node of each tape leaves whose gradient has been asked for. */
const spent = new WeakMap<object, Set<tf.Tensor>>()

/**
 * The gradients of a node, which is asked for them once. `kept` is what the node saved and `dys` the gradients of its
 * outputs; `compute` may make tensors that the gradient functions share.
 *
 * When the next node is asked, all of these are freed but the results: a tape is walked once and backwards, and nobody
 * else reads them. TensorFlow.js would free everything at the end of the walk, so that all activations and all their
 * gradients were there at once. Results are tensors of their own, no two the same, so that each can be freed by itself.
 */
export function gradientsOnce(
  kept: readonly tf.Tensor[],
  dys: readonly tf.Tensor[],
  compute: () => Readonly<Record<string, () => tf.Tensor>>,
): Record<string, () => tf.Tensor> {
  const taken = new Set([...kept, ...dys])
  const leftOver = new Set(taken)
  freeSpent(leftOver)
  const track = engineState().activeScope?.track ?? []
  const before = track.length
  const gradients = compute()
  for (const made of track.slice(before)) if (!made.kept) leftOver.add(made)
  return Object.fromEntries(
    Object.entries(gradients).map(([input, gradient]) => [
      input,
      () => {
        const result = gradient()
        if (taken.has(result)) return alias(result)
        taken.add(result)
        leftOver.delete(result)
        return result
      },
    ]),
  )
}

function freeSpent(tensors: Set<tf.Tensor>): void {
  const tape = engineState().activeTape
  if (!tape) return
  tf.dispose([...(spent.get(tape) ?? [])])
  spent.set(tape, tensors)
}

/** Frees what the present tape saved, after a computation on it has failed: TensorFlow.js does so only at a good end. */
export function abandonTape(): void {
  const state = engineState()
  for (const {saved} of state.activeTape ?? []) tf.dispose(saved)
  state.activeTape = null
}

function alias({dataId, dtype, shape}: tf.Tensor): tf.Tensor {
  tf.backend().incRef(dataId)
  return tf.engine().makeTensorFromTensorInfo({dataId, dtype, shape})
}

/** Another tensor on the same data, which lives until it is disposed of. */
export function keptAlias(tensor: tf.Tensor): tf.Tensor {
  return tf.keep(alias(tensor))
}
