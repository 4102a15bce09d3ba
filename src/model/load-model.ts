/**
 * A checkpoint directory → a model on the device. Tensors are read one at a time; names, shapes and values are checked,
 * and every fault is reported at once.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {type Fault, FileError} from '../errors.js'
import {type MambaConfig, readMambaConfig} from './config.js'
import {type LanguageModel} from './language-model.js'
import {checkpointName, EMBEDDINGS, HEAD, parameterShapes, projections} from './parameters.js'
import {Weights} from './weights.js'

/** The config of an opened directory. */
export function configOf({config, directory}: ModelFiles): MambaConfig {
  return readMambaConfig(config, `${directory}/config.json`)
}

/** Tensors that the config asks for and the files lack, or the other way round, and wrong shapes. */
export function checkTensors({directory, tensors}: ModelFiles, config: MambaConfig): void {
  const shapes = parameterShapes(config)
  const faults: Fault[] = []
  for (const [name, shape] of shapes) {
    const entry = tensors.get(name)
    if (!entry) faults.push({message: `is missing; expected shape [${shape.join(', ')}]`, where: name})
    else if (entry.shape.join() !== shape.join()) {
      faults.push({message: `has shape [${entry.shape.join(', ')}], expected [${shape.join(', ')}]`, where: name})
    }
  }
  for (const name of tensors.keys()) {
    // A tied head may be stored all the same; it is the embedding.
    if (!shapes.has(name) && !(config.tied && name === HEAD)) {
      faults.push({message: 'is not a tensor of this model', where: name})
    }
  }
  if (faults.length > 0) {
    throw new FileError(`The weights in ${directory} do not fit its config.json.`, {
      faults,
      hint: 'Check that config.json and the weight files come from the same checkpoint.',
    })
  }
}

/** Reads all weights to the device. `report` hears how many tensors of how many are there. */
export async function loadModel(
  files: ModelFiles,
  report: (done: number, total: number) => void = () => {},
): Promise<LanguageModel> {
  const config = configOf(files)
  checkTensors(files, config)
  const names = [...parameterShapes(config).keys()]
  const tensors = new Map<string, tf.Tensor>()
  const faults: Fault[] = []
  for (const name of names) {
    const values = await readTensorFloat32(files.tensors.get(name) as TensorEntry)
    const bad = values.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0) faults.push({message: `value ${bad} is ${values[bad]}`, where: name})
    tensors.set(name, tf.keep(tf.tensor(values, files.tensors.get(name)?.shape as number[])))
    report(tensors.size, names.length)
  }
  const weights = new Weights(tensors)
  if (faults.length > 0) {
    weights.dispose()
    throw new FileError(`The weights in ${files.directory} are damaged: some are not finite.`, {
      faults,
      hint: 'Fetch the checkpoint again.',
    })
  }
  weights.keepTransposed(matrixNames(config))
  return {config, weights}
}

function matrixNames(config: MambaConfig): string[] {
  const layers = Array.from({length: config.layers}, (_, layer) => `layers.${layer}.mixer`)
  const names = layers.flatMap((site) => projections(config).map(([name]) => checkpointName(site, `${name}.weight`)))
  return [...names, config.tied ? EMBEDDINGS : HEAD]
}
