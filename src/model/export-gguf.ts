/**
 * A model → one GGUF file that llama.cpp runs: its config, its tokenizer, and its tensors, one in memory at a time. Matrices
 * get the number format that is asked for; what llama.cpp needs as f32 (convolution, A, D, norms, biases) stays f32.
 */
import {BLOCK_VALUES, type GgufDtype} from '../checkpoint/gguf-dtypes.js'
import {type GgufTensor, writeGguf} from '../checkpoint/gguf-write.js'
import {type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {writeDirectory} from '../checkpoint/output-directory.js'
import {readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {readPlainBpe} from '../data/plain-bpe.js'
import {type MambaConfig} from './config.js'
import {checkGguf, differencesIn} from './gguf-limits.js'
import {modelMetadata} from './gguf-metadata.js'
import {ggufPlace} from './gguf-names.js'
import {checkTensors, configOf} from './model-files.js'
import {convChannels, HEAD} from './parameters.js'

export const GGUF_MODEL = 'model.gguf'

export interface ExportGgufOptions {
  readonly model: string
  /** What the file calls the model */
  readonly name: string
  /** Directory of the tokenizer */
  readonly tokenizer: string
  readonly dtype: GgufDtype
  readonly out: string
  readonly report?: (done: number, total: number) => void
}

export interface GgufReport {
  readonly format: 'gguf'
  readonly dtype: GgufDtype
  readonly out: string
  /** Names in `out` */
  readonly files: readonly string[]
  readonly tensors: number
  readonly bytes: number
  /** What llama.cpp computes a little differently */
  readonly differences: readonly string[]
}

/** What is written of a model: its own tensors, or changed ones. */
export interface GgufSource {
  readonly files: ModelFiles
  readonly config: MambaConfig
  readonly shapeOf: (entry: TensorEntry) => readonly number[]
  readonly valuesOf: (entry: TensorEntry) => Promise<Float32Array>
}

/** Errors: FileError for damaged files and for tokenizers, MismatchError for models, that llama.cpp has no word for. */
export async function exportGguf(options: ExportGgufOptions): Promise<GgufReport> {
  const files = await openModelDirectory(options.model)
  const config = configOf(files)
  checkTensors(files, config)
  return writeGgufModel({config, files, shapeOf: ({shape}) => shape, valuesOf: readTensorFloat32}, options)
}

export async function writeGgufModel(
  source: GgufSource,
  {dtype, model, name, out, report, tokenizer: directory}: ExportGgufOptions,
): Promise<GgufReport> {
  const {config} = source
  checkGguf(config, `${model}/config.json`)
  const tokenizer = await readPlainBpe(directory, config.vocabulary)
  const tensors = tensorsOf(source, dtype)
  let bytes = 0
  await writeDirectory(out, async (into) => {
    const metadata = modelMetadata({config, dtype, name, tokenizer})
    bytes = await writeGguf(`${into}/${GGUF_MODEL}`, metadata, tensors, report)
  })
  const {normalizer} = tokenizer
  const differences = [
    ...differencesIn(config),
    ...(normalizer === null
      ? []
      : [`llama.cpp takes text as it is, the tokenizer normalises it first (${normalizer})`]),
  ]
  return {bytes, differences, dtype, files: [GGUF_MODEL], format: 'gguf', out, tensors: tensors.length}
}

function tensorsOf({config, files, shapeOf, valuesOf}: GgufSource, dtype: GgufDtype): GgufTensor[] {
  const tensors = [...files.tensors.values()].flatMap((entry): GgufTensor[] => {
    const place = ggufPlace(entry.name, shapeOf(entry), config)
    // A head that is the embedding may be stored once more.
    if (!place || (config.tied && entry.name === HEAD)) return []
    const {decay, matrix, name, shape} = place
    const values = async (): Promise<Float32Array> => {
      const own = await valuesOf(entry)
      return decay ? own.map((value) => -Math.exp(value)) : own
    }
    return [{dtype: matrix ? heldAs(dtype, shape) : 'f32', name, shape, values}]
  })
  return config.convBias ? tensors : [...tensors, ...zeroBiases(config)]
}

/** Rows that are no whole blocks of q8_0, those of narrow dt_proj, are f16. */
export function heldAs(dtype: GgufDtype, shape: readonly number[]): GgufDtype {
  return dtype === 'q8_0' && (shape.at(-1) ?? 0) % BLOCK_VALUES !== 0 ? 'f16' : dtype
}

/** llama.cpp adds a bias to every convolution. */
function zeroBiases(config: MambaConfig): GgufTensor[] {
  const channels = convChannels(config)
  return Array.from({length: config.layers}, (_, layer): GgufTensor => ({
    dtype: 'f32',
    name: `blk.${layer}.ssm_conv1d.bias`,
    shape: [channels],
    values: async () => new Float32Array(channels),
  }))
}
