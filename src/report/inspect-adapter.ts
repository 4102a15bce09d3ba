/** A saved adapter, ours or PEFT's: its methods and sizes, the model that it belongs to, and what can become of it. */
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {stat} from 'node:fs/promises'
import path from 'node:path'
import {peftTensorFile} from '../checkpoint/adapter-directory.js'
import {openModelDirectory} from '../checkpoint/model-directory.js'
import {MambatuneError} from '../errors.js'
import {configOf} from '../model/model-files.js'
import {type LeftOut, partName} from '../peft/export-format.js'
import {UNNAMED_BASE} from '../peft/from-peft.js'
import {type AdapterSettings, isTrained, noMergeOf} from '../peft/method-settings.js'
import {leftOutOfPeft} from '../peft/peft-limits.js'
import {readAdapter, type SavedAdapter} from '../peft/saved-adapter.js'
import {countParameters} from './inspect-model.js'

export interface AdapterInspection {
  readonly kind: 'adapter'
  readonly path: string
  readonly format: SavedAdapter['format']
  /** In the order of the adapter */
  readonly methods: readonly AdapterMethod[]
  readonly tensors: number
  readonly trainable_parameters: number
  /** 100 · trainable / (base + trainable); null if the base cannot be opened */
  readonly trainable_percent: number | null
  readonly base: AdapterBase
  readonly tensor_file: {readonly file: string; readonly bytes: number; readonly sha256: string}
  readonly merge: {readonly exact: boolean; readonly left_out: readonly NotMerged[]}
  readonly peft: {readonly complete: boolean; readonly left_out: readonly LeftOut[]}
}

export interface AdapterMethod {
  readonly method: AdapterSettings['method']
  readonly settings: Omit<AdapterSettings, 'method'>
  readonly tensors: number
  readonly trainable_parameters: number
}

export interface AdapterBase {
  readonly path: string
  /** PEFT's files have none. */
  readonly fingerprint: string | null
  readonly parameters: number | null
  /** ε of the norm on Δ, B and C that the base gets for this adapter; absent: none */
  readonly mixer_rms_eps?: number | undefined
  /** Why it cannot be opened; null if it can */
  readonly problem: string | null
}

export interface NotMerged extends LeftOut {
  readonly instead: string
}

/** Errors: FileError for damaged files, MismatchError for tensors that are not those of the settings. */
export async function inspectAdapter(directory: string): Promise<AdapterInspection> {
  const saved = await readAdapter(directory)
  const methods = saved.settings.map((settings, index) => methodOf(saved, settings, index))
  const trainable = methods.reduce((sum, {trainable_parameters: own}) => sum + own, 0)
  const base = await inspectBase(saved)
  const notMerged = notMergedOf(saved)
  const leftOut = leftOutOfPeft(saved)
  return {
    kind: 'adapter',
    path: directory,
    format: saved.format,
    methods,
    tensors: saved.values.size,
    trainable_parameters: trainable,
    trainable_percent: base.parameters === null ? null : (100 * trainable) / (base.parameters + trainable),
    base,
    tensor_file: await inspectFile(
      saved.format === 'peft' ? await peftTensorFile(directory) : path.join(directory, 'adapter.safetensors'),
    ),
    merge: {exact: notMerged.length === 0, left_out: notMerged},
    peft: {complete: leftOut.length === 0, left_out: leftOut},
  }
}

function methodOf(saved: SavedAdapter, entry: AdapterSettings, index: number): AdapterMethod {
  const own = [...saved.values].filter(([name]) => name.startsWith(`adapters.${index}.`))
  const trained = own.filter(([name]) => isTrained(entry, name))
  const {method, ...settings} = entry
  return {
    method,
    settings,
    tensors: own.length,
    trainable_parameters: trained.reduce((sum, [, {values}]) => sum + values.length, 0),
  }
}

/** An adapter can be looked at without its base, so that what is wrong with that is told, not thrown. */
async function inspectBase({base}: SavedAdapter): Promise<AdapterBase> {
  if (base.path === UNNAMED_BASE) return {...base, parameters: null, problem: 'the adapter does not name its model'}
  try {
    const parameters = countParameters(configOf(await openModelDirectory(base.path)))
    return {...base, parameters, problem: null}
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    return {...base, parameters: null, problem: error.message}
  }
}

function notMergedOf(saved: SavedAdapter): NotMerged[] {
  return saved.settings.flatMap(({method}, index) => {
    const noMerge = noMergeOf[method]
    return noMerge ? [{part: partName(saved, index), ...noMerge}] : []
  })
}

async function inspectFile(file: string): Promise<AdapterInspection['tensor_file']> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file)) hash.update(piece as Uint8Array)
  return {file: path.basename(file), bytes: (await stat(file)).size, sha256: hash.digest('hex')}
}
