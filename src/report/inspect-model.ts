/** A model from its headers: sizes, formats, and the sites that adapters can be attached to. */
import {stat} from 'node:fs/promises'
import path from 'node:path'
import {fingerprintTensors, type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {isFile} from '../checkpoint/weight-files.js'
import {type MambaConfig} from '../model/config.js'
import {checkTensors, configOf} from '../model/model-files.js'
import {checkpointName, parameterShapes} from '../model/parameters.js'
import {adaptableSites} from '../peft/sites-of.js'

export interface ModelInspection {
  readonly kind: 'model'
  readonly path: string
  readonly architecture: MambaConfig['architecture']
  readonly sizes: ModelSizes
  /** Numbers in all, a tied head counted once */
  readonly parameters: number
  /** The same model in other files has the same. */
  readonly fingerprint: string
  readonly tied_head: boolean
  readonly tokenizer: boolean
  /** Of the weight files together */
  readonly bytes: number
  readonly weight_files: readonly {readonly file: string; readonly bytes: number}[]
  readonly dtypes: readonly {readonly dtype: string; readonly tensors: number; readonly parameters: number}[]
  readonly sites: readonly ModelSite[]
}

/** The letters of docs/notation.md. */
export interface ModelSizes {
  readonly d: number
  readonly E: number
  readonly N: number
  /** Mamba-1 */
  readonly R?: number
  /** Mamba-2, as are P and G */
  readonly H?: number
  readonly P?: number
  readonly G?: number
  readonly K: number
  readonly V: number
  readonly layers: number
}

/** A projection or the convolution; every layer has one. */
export interface ModelSite {
  /** 'x_proj' */
  readonly site: string
  /** Of its weight */
  readonly shape: readonly number[]
  readonly parameters_per_layer: number
  readonly layers: number
  /** Parts of it that can be adapted alone, rows [from, to): 'x_proj.B' */
  readonly slices: readonly {readonly site: string; readonly from: number; readonly to: number}[]
}

/** Reads all weights once, for the fingerprint. Errors: FileError for damaged files and other architectures. */
export async function inspectModel(directory: string): Promise<ModelInspection> {
  const files = await openModelDirectory(directory)
  const config = configOf(files)
  checkTensors(files, config)
  const weightFiles = await Promise.all(
    files.weightFiles.map(async (file) => ({bytes: (await stat(file)).size, file: path.basename(file)})),
  )
  return {
    kind: 'model',
    path: directory,
    architecture: config.architecture,
    sizes: sizesOf(config),
    parameters: countParameters(config),
    fingerprint: await fingerprintTensors(files.tensors),
    tied_head: config.tied,
    tokenizer: await isFile(path.join(directory, 'tokenizer.json')),
    bytes: weightFiles.reduce((sum, {bytes}) => sum + bytes, 0),
    weight_files: weightFiles,
    dtypes: dtypesOf(files),
    sites: sitesOf(config),
  }
}

export function countParameters(config: MambaConfig): number {
  return [...parameterShapes(config).values()].reduce((sum, shape) => sum + size(shape), 0)
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

function sizesOf(config: MambaConfig): ModelSizes {
  const {convWidth: K, hidden: d, inner: E, layers, states: N, vocabulary: V} = config
  const own =
    config.architecture === 'mamba2'
      ? {H: config.heads, P: config.headSize, G: config.groups}
      : {R: config.timeStepRank}
  return {d, E, N, ...own, K, V, layers}
}

/** The most used first. */
function dtypesOf({tensors}: ModelFiles): ModelInspection['dtypes'] {
  const counts = new Map<string, {tensors: number; parameters: number}>()
  for (const {dtype, shape} of tensors.values()) {
    const count = counts.get(dtype) ?? {parameters: 0, tensors: 0}
    counts.set(dtype, {parameters: count.parameters + size(shape), tensors: count.tensors + 1})
  }
  return [...counts].map(([dtype, count]) => ({dtype, ...count})).sort((a, b) => b.parameters - a.parameters)
}

function sitesOf(config: MambaConfig): readonly ModelSite[] {
  const shapes = parameterShapes(config)
  const first = adaptableSites(config).filter(({module}) => module.startsWith('layers.0.'))
  const bare = (name: string): string => name.replace(/^layers\.0\.mixer\./, '')
  return first
    .filter(({slice}) => slice === null)
    .map(({module}) => {
      const shape = shapes.get(checkpointName(module, 'weight')) ?? []
      const slices = first.filter((site) => site.module === module && site.slice !== null)
      return {
        site: bare(module),
        shape,
        parameters_per_layer: size(shape),
        layers: config.layers,
        slices: slices.map(({from, name, to}) => ({site: bare(name), from, to})),
      }
    })
}
