/**
 * Trained tensors. On the GPU they share one buffer, an arena, so that the optimizer changes all of them in one dispatch;
 * each begins at a multiple of 64 numbers, and what lies between them stays zero. Elsewhere they are plain variables.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../backend/gpu/current.js'
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {toTensors} from '../operation.js'

export interface FirstValues {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** Where a tensor lies in its arena. */
export interface ArenaPlace {
  /** The arena as one vector */
  readonly whole: tf.Tensor
  /** Number of the arena where the tensor begins */
  readonly start: number
  readonly dataId: tf.DataId
}

/** Tensors begin at multiples of 256 bytes. */
const ALIGNED = 64

const places = new WeakMap<tf.Variable, ArenaPlace>()

export class ParameterArena {
  private constructor(
    /** In the order of the values that they were made from */
    readonly variables: readonly tf.Variable[],
    private readonly whole: tf.Tensor | null,
  ) {}

  static create(first: readonly FirstValues[]): ParameterArena {
    const host = gpuHost()
    return host && first.length > 0
      ? ParameterArena.onGpu(host, first)
      : new ParameterArena(
          first.map(({shape, values}) => toVariable(tf.tensor(values, [...shape]))),
          null,
        )
  }

  private static onGpu(host: ShaderHost, first: readonly FirstValues[]): ParameterArena {
    const together = host.allocateTogether(first.map(({shape}) => shape))
    const whole = tf.keep(toTensors([together.whole])[0])
    let start = 0
    const variables = toTensors(together.parts).map((part, index) => {
      host.overwrite(part, first[index].values)
      const variable = toVariable(part)
      places.set(variable, {dataId: variable.dataId, start, whole})
      start += ALIGNED * Math.ceil(variable.size / ALIGNED)
      return variable
    })
    return new ParameterArena(variables, whole)
  }

  dispose(): void {
    for (const variable of this.variables) variable.dispose()
    this.whole?.dispose()
  }
}

/** A variable on this tensor's data. */
function toVariable(tensor: tf.Tensor): tf.Variable {
  const variable = tf.variable(tensor)
  tensor.dispose()
  return variable
}

/** null where the variable is not in an arena, or has left it because something else was assigned to it. */
export function arenaPlaceOf(variable: tf.Variable): ArenaPlace | null {
  const place = places.get(variable)
  return place && place.dataId === variable.dataId ? place : null
}

/** Gives a trained tensor other values. On the GPU they are written in place, because assigning would leave the arena. */
export function setValues(variable: tf.Variable, values: Float32Array): void {
  if (values.length !== variable.size) throw new Error(`${values.length} values for ${variable.size}`)
  const host = gpuHost()
  if (host) return host.overwrite(variable, values)
  const next = tf.tensor(values, variable.shape)
  variable.assign(next)
  next.dispose()
}
