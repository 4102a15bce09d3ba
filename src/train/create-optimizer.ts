/** AdamW where the adapters are: on the GPU in shaders, elsewhere, where a tensor is host memory, as a loop over arrays. */
import {gpuHost} from '../backend/gpu/current.js'
import {type AdapterSet} from '../peft/adapter-set.js'
import {DeviceOptimizer} from './device-optimizer.js'
import {HostAdamW} from './host-optimizer.js'
import {type Optimizer, type OptimizerSettings} from './optimizer.js'

export function createOptimizer({variables}: Pick<AdapterSet, 'variables'>, settings: OptimizerSettings): Optimizer {
  return gpuHost() ? new DeviceOptimizer(variables, settings) : new HostAdamW(variables, settings)
}
