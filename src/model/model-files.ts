/**
 * An opened checkpoint directory against what a Mamba model needs: its config as ours, and its tensors' names and shapes.
 * Only headers are looked at, so this needs no tensor library; `load-model.ts` reads the values.
 */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {type Fault, FileError} from '../errors.js'
import {type MambaConfig, readMambaConfig} from './config.js'
import {HEAD, parameterShapes} from './parameters.js'

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
