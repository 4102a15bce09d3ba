/**
 * What a model remembers, as an adapter: the scan state and the window of every layer after something was read become an
 * `initial-state` entry. Whatever follows is then continued as if it had just been read. Nothing is trained.
 */
import {fingerprintTensors} from '../checkpoint/model-directory.js'
import {MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type ModelState} from '../model/language-model.js'
import {type AttachedModel} from './attached-model.js'
import {normEntry, normOf} from './base-norm.js'
import {convName, initialState, scanName} from './initial-state.js'
import {type InitialStateSettings} from './initial-state-settings.js'
import {selectEntries} from './merge.js'
import {type ParameterValues} from './method.js'
import {saveAdapter, type SavedAdapter} from './saved-adapter.js'

/** Names are those of `state from-prompt --json`. */
export interface KeptState {
  readonly out: string
  readonly base: string
  readonly layers: number
  /** In the states of all layers */
  readonly numbers: number
}

export const KEPT: InitialStateSettings = {conv: true, method: 'initial-state', scan: true}

/** The state of one sequence by the names of initial-state. Errors: MismatchError for one with more states than the model. */
export async function stateValues(
  state: ModelState,
  config: MambaConfig,
): Promise<ReadonlyMap<string, ParameterValues>> {
  const values = new Map<string, ParameterValues>()
  for (const [layer, {scan, window}] of state.entries()) {
    const [numbers, rows] = await Promise.all([scan.data<'float32'>(), window.data<'float32'>()]) // waits for the device
    const [, width, channels] = window.shape // (1, K−1, channels)
    values.set(scanName(layer), {shape: scan.shape.slice(1), values: numbers.slice()})
    if (width > 0) values.set(convName(layer), {shape: [channels, width], values: transposed(rows, width, channels)})
  }
  for (const [name, {shape}] of initialState.parameters(KEPT, config)) {
    const found = values.get(name)?.shape ?? []
    if (found.join() === shape.join()) continue
    throw new MismatchError('This state is larger than those of the model, because the adapter adds states.', {
      faults: [{message: `has shape [${found.join(', ')}], expected [${shape.join(', ')}]`, where: name}],
      hint: 'Merge the adapter first (mambatune merge), and keep the state of the merged model.',
    })
  }
  return values
}

/** (K−1, channels) → (channels, K−1) */
function transposed(rows: Float32Array, width: number, channels: number): Float32Array {
  return Float32Array.from({length: rows.length}, (_, at) => rows[(at % width) * channels + Math.trunc(at / width)])
}

/** Writes the state as an adapter, behind the entries of the adapter that it was made with; a first state of that is replaced. */
export async function saveState(
  out: string,
  {files, model, saved}: Pick<AttachedModel, 'files' | 'model' | 'saved'>,
  base: string,
  values: ReadonlyMap<string, ParameterValues>,
): Promise<KeptState> {
  const {settings, values: others} = saved ? withoutState(saved) : {settings: [], values: new Map()}
  const own = [...values].map(([name, value]) => [`adapters.${settings.length}.${name}`, value] as const)
  await saveAdapter(
    out,
    {settings: [...settings, KEPT], values: new Map([...others, ...own])},
    {
      architecture: model.config.architecture,
      fingerprint: await fingerprintTensors(files.tensors),
      path: base,
      ...normEntry(normOf(saved)),
    },
  )
  const numbers = [...values.values()].reduce((sum, {values: {length}}) => sum + length, 0)
  return {base, layers: model.config.layers, numbers, out}
}

function withoutState(saved: SavedAdapter): SavedAdapter {
  const kept = [...saved.settings.keys()].filter((index) => saved.settings[index].method !== 'initial-state')
  return selectEntries(saved, kept)
}
