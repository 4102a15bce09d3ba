/** Saved adapters with random values in every tensor, and what their low-rank updates add to the weights, computed plainly. */
import {fingerprintTensors, openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {writeAdapterDirectory} from '../../src/checkpoint/adapter-directory.js'
import {RandomStream} from '../../src/data/random.js'
import {type MambaConfig} from '../../src/model/config.js'
import {configOf} from '../../src/model/model-files.js'
import {parameterSpecs} from '../../src/peft/adapter-set.js'
import {type AdditionalScanSettings} from '../../src/peft/additional-scan-settings.js'
import {type LoraSettings} from '../../src/peft/lora-settings.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {type SavedAdapter} from '../../src/peft/saved-adapter.js'
import {adaptableSites} from '../../src/peft/sites-of.js'
import {type StateOffsetSettings} from '../../src/peft/state-offset-settings.js'
import {goldenPath} from './golden.js'

export const lora = (settings: Partial<LoraSettings> & Pick<LoraSettings, 'targets'>): LoraSettings => ({
  alpha: 6,
  dropout: 0,
  method: 'lora',
  rank: 3,
  rslora: false,
  ...settings,
})

export const STATE = {conv: true, method: 'initial-state', scan: true} as const

export const moreStates = (settings: Partial<AdditionalScanSettings>): AdditionalScanSettings => ({
  first_a: 'first',
  method: 'additional-scan',
  states: 2,
  ...settings,
})

export const stateOffset = (settings: Partial<StateOffsetSettings>): StateOffsetSettings => ({
  form: 'h',
  method: 'state-offset',
  ...settings,
})

export interface AdapterParts {
  readonly settings: readonly AdapterSettings[]
  /** Directory of the model whose sizes it has; a golden one if left out */
  readonly model?: string
  /** What the adapter says that its base is; the model if left out */
  readonly base?: string
  /** Changes the tensors before they are written. */
  readonly change?: (tensors: Map<string, ParameterValues>) => void
}

/** Writes an adapter of ours; returns its path. */
export async function writeRandomAdapter(directory: string, parts: AdapterParts): Promise<string> {
  const {model = goldenPath('mamba1'), settings} = parts
  const files = await openModelDirectory(model)
  const tensors = new Map<string, ParameterValues>()
  for (const [name, {shape}] of parameterSpecs(settings, configOf(files))) {
    const random = new RandomStream(1, 'test', name)
    const count = shape.reduce((product, length) => product * length, 1)
    tensors.set(name, {shape, values: Float32Array.from({length: count}, () => 0.1 * random.normal())})
  }
  parts.change?.(tensors)
  const manifest = {
    adapters: settings.map((entry) => ({...entry})),
    base: {
      architecture: configOf(files).architecture,
      fingerprint: await fingerprintTensors(files.tensors),
      path: parts.base ?? model,
    },
    created_with: 'a test',
    format: 'mambatune-adapter',
    version: 1,
  } as const
  await writeAdapterDirectory(directory, manifest, tensors)
  return directory
}

export async function configIn(model: string): Promise<MambaConfig> {
  return configOf(await openModelDirectory(model))
}

/** ΔW of every module that has one, full-size and row-major: Σ s B A, each in the rows of its site, in f64. */
export function weightUpdates({settings, values}: SavedAdapter, config: MambaConfig): Map<string, Float64Array> {
  const sites = adaptableSites(config)
  const updates = new Map<string, Float64Array>()
  for (const [index, entry] of settings.entries()) {
    if (entry.method !== 'lora') continue
    const scale = entry.alpha / (entry.rslora ? Math.sqrt(entry.rank) : entry.rank)
    for (const {from, inputs, module, name, to} of sites) {
      const down = values.get(`adapters.${index}.${name}.lora_A`)?.values
      const up = values.get(`adapters.${index}.${name}.lora_B`)?.values
      if (!down || !up) continue
      const rows = sites.find((site) => site.name === module)?.to ?? 0
      const update = updates.get(module) ?? new Float64Array(rows * inputs)
      updates.set(module, update)
      for (let row = 0; row < to - from; row++) {
        for (let column = 0; column < inputs; column++) {
          for (let k = 0; k < entry.rank; k++) {
            update[(from + row) * inputs + column] += scale * up[row * entry.rank + k] * down[k * inputs + column]
          }
        }
      }
    }
  }
  return updates
}
