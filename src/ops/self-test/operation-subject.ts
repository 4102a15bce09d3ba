/** An operation as a subject of the self-test. */
import {evaluate} from './evaluate.js'
import {type Precision, type Results, type Subject} from './subject.js'
import {type Named, type Tensors} from './values.js'

export interface OperationCase {
  readonly kernel: string
  readonly sizes: string
  readonly costly?: boolean
  readonly inputs: () => Named
  readonly call: (inputs: Tensors) => Tensors
  /** Inputs whose gradients are checked */
  readonly trained: readonly string[]
  /** Inputs and outputs that a model stores in f16; the others are f32 always */
  readonly stored: readonly string[]
}

/** An operation against itself on device `cpu`: the value, and the gradient of each trained input. */
export function operation({inputs, ...rest}: OperationCase): Subject {
  const results = (precision: Precision): Promise<Results> => evaluate({...rest, inputs: inputs(), precision})
  return {...rest, expected: results, results}
}
