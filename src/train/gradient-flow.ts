/**
 * Before the first step: does every adapter tensor get a gradient? A tensor that cannot move would be counted, saved and
 * reported as trained, and change nothing (as LoRA on Mamba's dt_proj does in other stacks). A fresh adapter has tensors
 * whose gradient is zero only because another is (A while B is zero), so the check runs on slightly moved values and
 * puts the old ones back.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {firstNotFinite} from '../checkpoint/first-not-finite.js'
import {collate, type Batch} from '../data/batches.js'
import {type Example} from '../data/rows.js'
import {RandomStream} from '../data/random.js'
import {type Fault, NumericError} from '../errors.js'
import {setValues} from '../ops/adamw/parameter-arena.js'
import {type ParameterValues} from '../peft/method.js'
import {lossAndGradients, type LossOptions, type Trainee} from './batch-loss.js'

/** Size of the nudges: large against f32 rounding, small against trained weights. */
const NUDGE = 0.02

/** Returns the number of tensors checked. Errors: NumericError naming every tensor without a gradient. */
export async function checkGradientFlow(
  trainee: Trainee,
  examples: readonly Example[],
  options: Pick<LossOptions, 'recompute'> = {},
): Promise<number> {
  const {variables} = trainee.adapters
  const before = await trainee.adapters.values() // waits for the device
  nudge(variables, before)
  try {
    const faults = await faultsOf(trainee, collate(examples), options)
    if (faults.length > 0) {
      throw new NumericError('Some adapter tensors would not be trained.', {
        faults,
        hint: 'Remove these targets from the recipe, or report this: every site of a supported model should train.',
      })
    }
    return variables.size
  } finally {
    for (const [name, variable] of variables) setValues(variable, valuesOf(before, name))
  }
}

async function faultsOf(trainee: Trainee, batch: Batch, options: LossOptions): Promise<Fault[]> {
  const {dispose, gradients} = lossAndGradients(trainee, batch, options)
  try {
    const names = [...trainee.adapters.variables.keys()]
    const found = await Promise.all(
      names.map(async (where) => ({
        message: faultOf(await gradients.get(where)?.data<'float32'>()), // waits for the device
        where,
      })),
    )
    return found.flatMap(({message, where}) => (message === null ? [] : [{message, where}]))
  } finally {
    dispose()
  }
}

function faultOf(gradient: Float32Array | undefined): string | null {
  if (!gradient) return 'the loss does not depend on it'
  if (firstNotFinite(gradient) >= 0) return 'its gradient is not finite'
  return gradient.every((value) => value === 0) ? 'its gradient is zero everywhere' : null
}

type Values = ReadonlyMap<string, ParameterValues>

function nudge(variables: ReadonlyMap<string, tf.Variable>, before: Values): void {
  for (const [name, variable] of variables) {
    const random = new RandomStream(0, 'gradient-flow', name)
    setValues(
      variable,
      valuesOf(before, name).map((value) => value + NUDGE * random.normal()),
    )
  }
}

function valuesOf(values: Values, name: string): Float32Array {
  return (values.get(name) as ParameterValues).values
}
