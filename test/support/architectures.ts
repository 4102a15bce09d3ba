/** A config as that of one architecture, to read what only it has. */
import {type Mamba1Config, type MambaConfig} from '../../src/model/config.js'
import {type Mamba2Config} from '../../src/model/mamba2-config.js'

export function mamba1Of(config: MambaConfig): Mamba1Config {
  if (config.architecture !== 'mamba') throw new Error(`expected Mamba-1, got ${config.architecture}`)
  return config
}

export function mamba2Of(config: MambaConfig): Mamba2Config {
  if (config.architecture !== 'mamba2') throw new Error(`expected Mamba-2, got ${config.architecture}`)
  return config
}
