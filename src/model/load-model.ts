/**
 * A checkpoint directory → a model on the device. Tensors are read one at a time, on the GPU a piece at a time; names,
 * shapes and values are checked, and every fault is reported at once.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {type TensorEntry} from '../checkpoint/safetensors.js'
import {type Fault, FileError} from '../errors.js'
import {type LanguageModel} from './language-model.js'
import {loadParameter} from './load-parameter.js'
import {checkTensors, configOf} from './model-files.js'
import {matrixNames, parameterShapes} from './parameters.js'
import {Weights} from './weights.js'

/** Reads all weights to the device. `report` hears how many tensors of how many are there. */
export async function loadModel(
  files: ModelFiles,
  report: (done: number, total: number) => void = () => {},
): Promise<LanguageModel> {
  const config = configOf(files)
  checkTensors(files, config)
  const shapes = parameterShapes(config)
  const matrices = matrixNames(config)
  const tensors = new Map<string, tf.Tensor>()
  const weights = new Weights(tensors)
  const faults: Fault[] = []
  try {
    for (const name of shapes.keys()) {
      const entry = files.tensors.get(name) as TensorEntry
      const {faults: found, tensor} = await loadParameter(entry, matrices.has(name))
      tensors.set(name, tf.keep(tensor))
      faults.push(...found.map((message) => ({message, where: name})))
      report(tensors.size, shapes.size)
    }
    if (faults.length > 0) {
      throw new FileError(`The weights in ${files.directory} cannot be used as they are.`, {
        faults,
        hint: 'Fetch the checkpoint again; for values that f16 cannot hold, set model.dtype: f32.',
      })
    }
    weights.keepTransposed(matrices)
    return {config, weights}
  } catch (error) {
    weights.dispose()
    throw error
  }
}
