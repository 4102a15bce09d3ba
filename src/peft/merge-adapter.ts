/**
 * A merge from start to end: check, merge on disk under a temporary name, run both sides on sample batches, and only then
 * let the result appear. The certificate is stored with it as merge.json.
 */
import path from 'node:path'
import {type SafetensorsDtype} from '../checkpoint/dtypes.js'
import {fingerprintTensors, type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {writeDirectory, writeFileDurably} from '../checkpoint/output-directory.js'
import {type Batch} from '../data/batches.js'
import {InterruptedError, NumericError} from '../errors.js'
import {checkIds} from '../model/check-ids.js'
import {loadModel} from '../model/load-model.js'
import {configOf} from '../model/model-files.js'
import {AdapterSet} from './adapter-set.js'
import {answers, type Certificate, certify, type Compared, mergeTolerance} from './certificate.js'
import {
  checkMergeable,
  checkRest,
  mergeCaveats,
  type MergeDtype,
  mergeGrowths,
  mergeSteps,
  selectEntries,
  splitByMerge,
  writeMerged,
} from './merge.js'
import {checkCopies} from './base-copies.js'
import {baseOf, normOf} from './base-norm.js'
import {checkBase, readAdapter, saveAdapter, type SavedAdapter} from './saved-adapter.js'
import {checkTies} from './untie.js'

export interface MergeAdapterOptions {
  readonly adapter: string
  /** Directory of the base model */
  readonly base: string
  /** What the certificate calls it; absent: its directory */
  readonly baseName?: string
  readonly out: string
  readonly dtype: MergeDtype
  /** Parts without an exact merge stay an adapter of the result, in <out>/adapter. */
  readonly partial: boolean
  readonly anyBase: boolean
  /** Give a tied model a head of its own, for updates of one use of its embedding. */
  readonly untie?: boolean
  /** What both sides are compared on, for a vocabulary of this size. */
  readonly batches: (vocabulary: number) => readonly Batch[]
  /** The text of a README.md for the result; absent: none is written */
  readonly card?: (report: MergeReport) => Promise<string>
  readonly report?: (event: MergeEvent) => void
  readonly signal?: AbortSignal
}

export type MergeEvent =
  | {readonly event: 'stage'; readonly text: string}
  | {readonly event: 'merging'; readonly done: number; readonly total: number}

/** What merge.json holds. */
export interface MergeReport extends Certificate {
  readonly out: string
  readonly adapter: string
  readonly base: string
  readonly base_fingerprint: string
  readonly merged_fingerprint: string
  readonly changed_tensors: number
  /** Why it may differ from the adapter by more than rounding; empty if it may not */
  readonly caveats: readonly string[]
  /** Methods that stay an adapter of the result, in <out>/adapter */
  readonly left_as_adapter: readonly string[]
}

/** Errors: MismatchError (no exact merge, other base), NumericError above the tolerance; then nothing is written. */
export async function mergeAdapter(options: MergeAdapterOptions): Promise<MergeReport> {
  const {
    adapter,
    anyBase,
    base,
    baseName = base,
    dtype,
    out,
    partial,
    report = () => {},
    signal,
    untie = false,
  } = options
  const saved = await readAdapter(adapter)
  checkMergeable(saved, partial)
  const bare = await openModelDirectory(base)
  const baseFingerprint = await fingerprintTensors(bare.tensors)
  checkBase(saved, {fingerprint: baseFingerprint, path: baseName}, anyBase)
  const files = baseOf(saved, bare)
  const config = configOf(files)
  await checkCopies(saved, files)
  const steps = mergeSteps(saved, config)
  checkTies(steps, config, untie)
  const batches = options.batches(config.vocabulary)
  for (const {ids} of batches) checkIds(ids, config.vocabulary)

  const rest = selectEntries(saved, splitByMerge(saved).others)
  const growths = mergeGrowths(saved, config)
  checkRest(rest, growths.at(-1)?.config ?? config)
  let result: MergeReport | undefined
  await writeDirectory(out, async (into) => {
    report({event: 'stage', text: 'Running base and adapter'})
    const [bare, attached] = await answersOf(files, [NO_ADAPTER, saved], batches)
    const changed = await writeMerged({
      dtype,
      files,
      growths,
      into,
      norm: normOf(saved),
      report(done, total) {
        if (signal?.aborted) throw new InterruptedError('Stopped while merging; nothing was written.')
        report({done, event: 'merging', total})
      },
      steps,
      untie,
    })
    report({event: 'stage', text: 'Running the merged model'})
    const mergedFiles = await openModelDirectory(into)
    const rounded = roundedFormats(files, mergedFiles, changed)
    const [merged] = await answersOf(mergedFiles, [rest], batches)
    const certificate = certify({attached, base: bare, merged}, batches, mergeTolerance(rounded))
    const caveats = mergeCaveats(saved, config)
    refuseDifference(certificate, caveats)
    const fingerprint = await fingerprintTensors(mergedFiles.tensors)
    const newBase = {architecture: config.architecture, fingerprint, path: out}
    if (rest.settings.length > 0) await saveAdapter(path.join(into, 'adapter'), rest, newBase)
    result = {
      out,
      adapter,
      base: baseName,
      base_fingerprint: baseFingerprint,
      caveats,
      changed_tensors: changed.length,
      left_as_adapter: rest.settings.map(({method}) => method),
      merged_fingerprint: fingerprint,
      ...certificate,
    }
    if (options.card) await writeFileDurably(path.join(into, 'README.md'), await options.card(result))
    await writeFileDurably(path.join(into, 'merge.json'), `${JSON.stringify(result, null, 2)}\n`)
  })
  return result as MergeReport
}

/** The stored formats of the tensors that were rounded: those that changed, and those that --dtype stores in another format. */
function roundedFormats(before: ModelFiles, after: ModelFiles, changed: readonly string[]): SafetensorsDtype[] {
  return [...after.tensors.values()]
    .filter(({dtype, name}) => changed.includes(name) || before.tensors.get(name)?.dtype !== dtype)
    .map(({dtype}) => dtype)
}

type Attachable = Pick<SavedAdapter, 'settings' | 'values'>

const NO_ADAPTER: Attachable = {settings: [], values: new Map()}

/** Loads a model once, runs the batches with each adapter around it, and leaves nothing on the device. */
async function answersOf(
  files: ModelFiles,
  attachables: readonly Attachable[],
  batches: readonly Batch[],
): Promise<(readonly Compared[])[]> {
  const model = await loadModel(files)
  try {
    const all: (readonly Compared[])[] = []
    for (const {settings, values} of attachables) {
      const adapters = AdapterSet.restore(settings, model.config, values)
      try {
        all.push(await answers(model, adapters.sites(model.weights), batches))
      } finally {
        adapters.dispose()
      }
    }
    return all
  } finally {
    model.weights.dispose()
  }
}

function refuseDifference(
  {logits_difference, loss_difference, number_format, passed, tolerance}: Certificate,
  caveats: readonly string[],
): void {
  if (passed) return
  throw new NumericError('Merged and attached differ by more than the number format explains; nothing was written.', {
    faults: [
      {
        message: `largest relative difference ${logits_difference.toExponential(2)}, expected at most ${tolerance.toExponential(2)} (${number_format})`,
        where: 'logits',
      },
      {message: `difference ${loss_difference.toExponential(2)}`, where: 'loss'},
      ...caveats.map((message) => ({message, where: 'adapter'})),
    ],
    hint:
      caveats.length > 0
        ? 'Keep it attached with --adapter; it is as exact as it was trained.'
        : 'Try --dtype f32. If that fails too, the adapter was trained on other weights.',
  })
}
