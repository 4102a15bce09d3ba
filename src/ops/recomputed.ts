/**
 * Activation checkpointing (Chen et al., arXiv 1604.06174): a part of the computation whose activations are not kept for the
 * backward pass but computed again there. It takes memory for its input and for one such part at a time, and a second
 * forward pass.
 *
 * TensorFlow.js has no gradient of its own for this. The part is recorded as one node. Its forward pass runs on a tape that
 * is thrown away and tells which variables the part reads; its gradient runs it again inside a gradient computation of its
 * own. The engine keeps one tape at a time, which an inner computation overwrites and then empties (see tape.ts for the
 * version), so the outer one is put aside meanwhile.
 */
import * as tf from '@tensorflow/tfjs-core'
import {abandonTape, engineState, gradientsOnce, isRecording, keptAlias, record, type TapeNode} from './tape.js'

/** A part of the computation: one input, one output. It may read variables, and must do the same each time it runs. */
export type Part = (input: tf.Tensor3D) => tf.Tensor3D

/** part(input). Its activations are computed again in the backward pass; gradients reach the input and the variables. */
export function recomputed(part: Part, input: tf.Tensor3D): tf.Tensor3D {
  if (!isRecording()) return part(input)
  const {output, variables} = runForgetfully(part, input)
  const saved = keptAlias(input) as tf.Tensor3D
  record({
    gradient([dy]) {
      const given = dy as tf.Tensor3D
      return gradientsOnce([saved], [given], () =>
        numbered(gradientsOf(part, saved, variables, given).map((gradient) => () => gradient)),
      )
    },
    inputs: numbered([input, ...variables]),
    kernelName: 'Recomputed',
    outputs: [output],
    saved: [saved],
  })
  return output
}

/** Runs the part and keeps nothing for a gradient. `variables` are those that the output depends on. */
function runForgetfully(part: Part, input: tf.Tensor3D): {output: tf.Tensor3D; variables: tf.Variable[]} {
  const tape: TapeNode[] = []
  try {
    const output = onTape(tape, () => tf.tidy(() => part(input)))
    return {output, variables: variablesBehind(output, tape)}
  } finally {
    for (const {saved} of tape) tf.dispose(saved)
  }
}

function variablesBehind(output: tf.Tensor, tape: readonly TapeNode[]): tf.Variable[] {
  const behind = new Set([output.id])
  const variables = new Set<tf.Variable>()
  for (const {inputs, outputs} of tape.toReversed()) {
    if (!outputs.some(({id}) => behind.has(id))) continue
    for (const tensor of Object.values(inputs)) {
      behind.add(tensor.id)
      if (tensor instanceof tf.Variable) variables.add(tensor as tf.Variable)
    }
  }
  return [...variables]
}

function numbered<Item>(items: readonly Item[]): Record<string, Item> {
  return Object.fromEntries(items.entries())
}

/** Runs the part again and differentiates it: the gradients of the input and of the variables. */
function gradientsOf(
  part: Part,
  input: tf.Tensor3D,
  variables: readonly tf.Variable[],
  dy: tf.Tensor3D,
): readonly tf.Tensor[] {
  const {grads, value} = onTape(null, () => tf.engine().gradients(() => part(input), [input, ...variables], dy))
  value.dispose()
  return grads
}

/** Runs `work` with another tape in place of the engine's. */
function onTape<Result>(tape: TapeNode[] | null, work: () => Result): Result {
  const state = engineState()
  const outer = state.activeTape
  state.activeTape = tape
  try {
    return work()
  } catch (error) {
    abandonTape()
    throw error
  } finally {
    state.activeTape = outer
  }
}
