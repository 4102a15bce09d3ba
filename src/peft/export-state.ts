/**
 * `mambatune export --format state`: the learned first state alone, for programs that can start a scan from one. In
 * state.safetensors `layers.<i>.scan` is h_0, (E, N) or (H, P, N), and `layers.<i>.conv` the window before the first token, (E, K−1),
 * oldest input first, a state of low rank and its scale multiplied out; state.json says which model they belong to.
 */
import {type Fault, MismatchError} from '../errors.js'
import {normEntry, normOf} from './base-norm.js'
import {type ExportFormat, type LeftOut, partName} from './export-format.js'
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'
import {stateProduct} from './state-product.js'

const TENSOR = /^adapters\.\d+\.layers\.(\d+)\.mixer\.initial_state\.(scan|conv)$/

/** U of a state of low rank */
const FIRST_FACTOR = /\.initial_state\.scan\.U$/

export const exportState: ExportFormat = {
  async content(saved, {name: base} = {directory: '', name: saved.base.path}) {
    const {kinds, layers, tensors} = statesOf(saved)
    const description = {
      format: 'mambatune-state',
      version: 1,
      architecture: saved.base.architecture,
      layers,
      shapes: Object.fromEntries(kinds),
      base: {fingerprint: saved.base.fingerprint, path: base, ...normEntry(normOf(saved))},
    }
    return {
      metadata: {format: 'pt'},
      tensorFile: 'state.safetensors',
      tensors,
      text: `${JSON.stringify(description, null, 2)}\n`,
      textFile: 'state.json',
    }
  },
  instead: 'Merge low-rank updates with mambatune merge, or export them with --format peft or safetensors.',
  split(saved) {
    const leftOut = saved.settings.flatMap(({method}, index): LeftOut[] =>
      method === 'initial-state' ? [] : [{part: partName(saved, index), reason: 'is no initial state'}],
    )
    return {holdsAny: leftOut.length < saved.settings.length, leftOut}
  },
}

interface States {
  readonly tensors: ReadonlyMap<string, ParameterValues>
  /** Shapes by kind; all layers have the same. */
  readonly kinds: ReadonlyMap<string, readonly number[]>
  readonly layers: number
}

function statesOf({settings, values}: SavedAdapter): States {
  const tensors = new Map<string, ParameterValues>()
  const faults: Fault[] = []
  const seen = new Set<string>()
  // Of two entries the later one acts.
  for (const [index, entry] of settings.entries()) {
    if (entry.method !== 'initial-state') continue
    for (const [where, tensor] of wholeStates(values)) {
      if (!where.startsWith(`adapters.${index}.`)) continue
      const [, layer, kind] = TENSOR.exec(where) ?? []
      if (layer === undefined || !entry[kind as 'scan' | 'conv']) {
        faults.push({message: 'is not a tensor of an initial state', where})
        continue
      }
      seen.add(layer)
      tensors.set(`layers.${layer}.${kind}`, kind === 'scan' ? scaled(tensor, entry.scale) : tensor)
    }
  }
  const layers = Math.max(1, seen.size)
  const kinds = new Map(kindsOf(settings).map((kind) => [kind, tensors.get(`layers.0.${kind}`)?.shape ?? []]))
  for (const [kind, shape] of kinds) {
    for (let layer = 0; layer < layers; layer++) {
      const found = tensors.get(`layers.${layer}.${kind}`)?.shape
      const where = `layers.${layer}.mixer.initial_state.${kind}`
      if (!found) faults.push({message: 'is missing', where})
      else if (found.join() !== shape.join()) {
        faults.push({message: `has shape [${found.join(', ')}], and in layer 0 [${shape.join(', ')}]`, where})
      }
    }
  }
  if (faults.length > 0) {
    throw new MismatchError('The tensors of the adapter are not those that its settings describe.', {
      faults,
      hint: 'Copy the adapter again, both of its files, or train it again.',
    })
  }
  return {kinds, layers, tensors}
}

function scaled({shape, values}: ParameterValues, scale = 1): ParameterValues {
  return {shape, values: values.map((value) => scale * value)}
}

/** The same tensors, with the product in place of two factors that fit together. */
function wholeStates(values: SavedAdapter['values']): SavedAdapter['values'] {
  const whole = new Map(values)
  for (const [name, u] of values) {
    if (!FIRST_FACTOR.test(name)) continue
    const state = name.slice(0, -'.U'.length)
    const v = values.get(`${state}.V`)
    if (!v || v.shape.length !== u.shape.length || v.shape.at(-1) !== u.shape.at(-1)) continue
    whole.delete(name)
    whole.delete(`${state}.V`)
    whole.set(state, stateProduct(u, v))
  }
  return whole
}

function kindsOf(settings: SavedAdapter['settings']): string[] {
  const states = settings.filter((entry) => entry.method === 'initial-state')
  return (['scan', 'conv'] as const).filter((kind) => states.some((entry) => entry[kind]))
}
