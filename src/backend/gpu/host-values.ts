/** Values that TensorFlow.js hands over, in one of the two forms that are kept on the host and uploaded. */
import type * as tf from '@tensorflow/tfjs-core'

export function hostValues(values: tf.BackendValues, dtype: tf.DataType): Float32Array | Int32Array {
  if (dtype === 'int32') return values instanceof Int32Array ? values : Int32Array.from(values as ArrayLike<number>)
  if (dtype === 'bool') return Int32Array.from(values as ArrayLike<number>)
  if (dtype === 'float32') {
    return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>)
  }
  throw new Error(`tensors of ${dtype} do not run on the GPU`)
}
