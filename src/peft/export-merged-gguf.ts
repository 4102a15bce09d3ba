/**
 * `mambatune export ADAPTER --format gguf`: base + adapter → one GGUF file. Merging is that of merge.ts, tensor by tensor in
 * f32, and each number is rounded once, to the format of the file. There is no certificate: `mambatune merge` makes one of
 * the same sums, and its result may be exported as well.
 */
import {fingerprintTensors, type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {type MambaConfig} from '../model/config.js'
import {type ExportGgufOptions, type GgufReport, type GgufSource, writeGgufModel} from '../model/export-gguf.js'
import {checkTensors, configOf} from '../model/model-files.js'
import {HEAD} from '../model/parameters.js'
import {checkCopies} from './base-copies.js'
import {baseOf} from './base-norm.js'
import {type LeftOut, partName} from './export-format.js'
import {type GrownTensor} from './growth.js'
import {checkMergeable, mergeGrowths, mergeSteps, splitByMerge} from './merge.js'
import {canMerge} from './method.js'
import {methodOf} from './registry.js'
import {checkBase, readAdapter, type SavedAdapter} from './saved-adapter.js'
import {INPUT_ALONE} from './sites-of.js'
import {untiedFiles, untiedSteps} from './untie.js'

/** `model` is the directory of the base. */
export interface MergedGgufOptions extends ExportGgufOptions {
  readonly adapter: string
  /** What messages call the base */
  readonly baseName: string
  /** Leave out entries without an exact merge. */
  readonly partial: boolean
  readonly anyBase: boolean
}

export interface MergedGgufReport extends GgufReport {
  readonly left_out: readonly LeftOut[]
}

/** Errors: as exportGguf and merging have them; then nothing is written. */
export async function exportMergedGguf(options: MergedGgufOptions): Promise<MergedGgufReport> {
  const {adapter, anyBase, baseName, model, partial} = options
  const saved = await readAdapter(adapter)
  checkMergeable(saved, partial)
  const bare = await openModelDirectory(model)
  checkTensors(bare, configOf(bare))
  checkBase(saved, {fingerprint: await fingerprintTensors(bare.tensors), path: baseName}, anyBase)
  const files = baseOf(saved, bare)
  const config = configOf(files)
  await checkCopies(saved, files)
  const report = await writeGgufModel(mergedSource(saved, files, config), options)
  return {...report, left_out: leftOutOfMerge(saved)}
}

function leftOutOfMerge(saved: SavedAdapter): LeftOut[] {
  return splitByMerge(saved).others.flatMap((index): LeftOut[] => {
    const {merge} = methodOf(saved.settings[index])
    return canMerge(merge) ? [] : [{part: partName(saved, index), reason: merge.reason}]
  })
}

/** The merged tensors. A head or an input that was changed alone unties a tied model, as the file may hold both. */
function mergedSource(saved: SavedAdapter, base: ModelFiles, config: MambaConfig): GgufSource {
  const wanted = mergeSteps(saved, config)
  const untie = config.tied && (wanted.has(HEAD) || wanted.has(INPUT_ALONE))
  const steps = untie ? untiedSteps(wanted) : wanted
  const growths = mergeGrowths(saved, config)
  const grownOf = (name: string): GrownTensor[] => growths.flatMap(({tensors}) => tensors.get(name) ?? [])
  return {
    config: {...(growths.at(-1)?.config ?? config), ...(untie ? {tied: false} : {})},
    files: untie ? untiedFiles(base) : base,
    shapeOf: ({name, shape}: TensorEntry) => grownOf(name).at(-1)?.shape ?? shape,
    async valuesOf(entry: TensorEntry) {
      const base = await readTensorFloat32(entry)
      const own = base.slice()
      steps.get(entry.name)?.(own, base)
      return grownOf(entry.name).reduce<Float32Array>((before, tensor) => tensor.grow(before), own)
    },
  }
}
