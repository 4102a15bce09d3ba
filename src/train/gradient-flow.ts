/**
 * Before the first step: does every adapter tensor get a gradient? A tensor that cannot move would be counted, saved and
 * reported as trained, and change nothing (as LoRA on Mamba's dt_proj does in other stacks). A fresh adapter has tensors
 * whose gradient is zero only because another is (A while B is zero), so the check runs on slightly moved values and
 * puts the old ones back.
 */
import * as tf from '@tensorflow/tfjs-core'
import {collate, type Batch} from '../data/batches.js'
import {type Example} from '../data/rows.js'
import {RandomStream} from '../data/random.js'
import {type Fault, NumericError} from '../errors.js'
import {lossAndGradients, type Trainee} from './batch-loss.js'

/** Size of the nudges: large against f32 rounding, small against trained weights. */
const NUDGE = 0.02

/** Returns the number of tensors checked. Errors: NumericError naming every tensor without a gradient. */
export function checkGradientFlow(trainee: Trainee, examples: readonly Example[]): number {
  const {variables} = trainee.adapters
  const before = trainee.adapters.values()
  nudge(variables)
  try {
    const batch: Batch = collate(examples)
    const {gradients} = lossAndGradients(trainee, batch, batch.supervisedTokens, null)
    const faults: Fault[] = []
    for (const name of variables.keys()) {
      const gradient = gradients.get(name)
      if (!gradient) faults.push({message: 'the loss does not depend on it', where: name})
      else if (gradient.some((value) => !Number.isFinite(value))) {
        faults.push({message: 'its gradient is not finite', where: name})
      } else if (gradient.every((value) => value === 0)) {
        faults.push({message: 'its gradient is zero everywhere', where: name})
      }
    }
    if (faults.length > 0) {
      throw new NumericError('Some adapter tensors would not be trained.', {
        faults,
        hint: 'Remove these targets from the recipe, or report this: every site of a supported model should train.',
      })
    }
    return variables.size
  } finally {
    for (const [name, variable] of variables) {
      assign(variable, before.get(name)?.values ?? new Float32Array(variable.size))
    }
  }
}

function nudge(variables: ReadonlyMap<string, tf.Variable>): void {
  for (const [name, variable] of variables) {
    const random = new RandomStream(0, 'gradient-flow', name)
    assign(
      variable,
      variable.dataSync<'float32'>().map((value) => value + NUDGE * random.normal()),
    )
  }
}

function assign(variable: tf.Variable, values: Float32Array): void {
  const next = tf.tensor(values, variable.shape)
  variable.assign(next)
  next.dispose()
}
