/**
 * A checkpoint directory → a model on the device. Tensors are read one at a time; names, shapes and values are checked,
 * and every fault is reported at once.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {type Fault, FileError} from '../errors.js'
import {type MambaConfig} from './config.js'
import {type LanguageModel} from './language-model.js'
import {checkTensors, configOf} from './model-files.js'
import {checkpointName, EMBEDDINGS, HEAD, parameterShapes, projections} from './parameters.js'
import {Weights} from './weights.js'

/** Reads all weights to the device. `report` hears how many tensors of how many are there. */
export async function loadModel(
  files: ModelFiles,
  report: (done: number, total: number) => void = () => {},
): Promise<LanguageModel> {
  const config = configOf(files)
  checkTensors(files, config)
  const names = [...parameterShapes(config).keys()]
  const tensors = new Map<string, tf.Tensor>()
  const weights = new Weights(tensors)
  const faults: Fault[] = []
  try {
    for (const name of names) {
      const values = await readTensorFloat32(files.tensors.get(name) as TensorEntry)
      const bad = values.findIndex((value) => !Number.isFinite(value))
      if (bad >= 0) faults.push({message: `value ${bad} is ${values[bad]}`, where: name})
      tensors.set(name, tf.keep(tf.tensor(values, files.tensors.get(name)?.shape as number[])))
      report(tensors.size, names.length)
    }
    if (faults.length > 0) {
      throw new FileError(`The weights in ${files.directory} are damaged: some are not finite.`, {
        faults,
        hint: 'Fetch the checkpoint again.',
      })
    }
    weights.keepTransposed(matrixNames(config))
    return {config, weights}
  } catch (error) {
    weights.dispose()
    throw error
  }
}

function matrixNames(config: MambaConfig): string[] {
  const layers = Array.from({length: config.layers}, (_, layer) => `layers.${layer}.mixer`)
  const names = layers.flatMap((site) => projections(config).map(([name]) => checkpointName(site, `${name}.weight`)))
  return [...names, config.tied ? EMBEDDINGS : HEAD]
}
