/** `mambatune report`: reads a run and writes its page. */
import path from 'node:path'
import {type Processes} from '../../checkpoint/directory-lock.js'
import {openModelDirectory} from '../../checkpoint/model-directory.js'
import {writeFileDurably} from '../../checkpoint/output-directory.js'
import {MambatuneError} from '../../errors.js'
import {readAdapter, type SavedAdapter} from '../../peft/saved-adapter.js'
import {type KnownModel, knownModel} from '../../peft/update-parts.js'
import {runFiles} from '../../recipe/run-files.js'
import {fits} from '../adapter-info.js'
import {readRun, type RunRecord} from '../runs/show-run.js'
import {stateNorms} from '../state-norms.js'
import {updateNorms} from '../update-norms.js'
import {runPage} from './run-page.js'
import {type Changes} from './sections.js'

export interface ReportOptions {
  readonly run: string
  readonly processes: Processes
  /** null: report.html in the run */
  readonly out?: string | null
  /** Directory of the base model, if it is not where the adapter says: models of the hub */
  readonly base?: string | null
}

export interface ReportFile {
  readonly run: string
  readonly file: string
  readonly bytes: number
}

/** Errors: FileError, those of damaged files. */
export async function writeReport({base = null, out = null, processes, run}: ReportOptions): Promise<ReportFile> {
  const record = await readRun(run, processes)
  const changes = await changesOf(record, base)
  const text = runPage({changes, name: path.basename(path.resolve(run)), run: record})
  const file = out ?? runFiles(run).report
  await writeFileDurably(file, text)
  return {bytes: Buffer.byteLength(text), file, run}
}

async function changesOf({adapter}: RunRecord, base: string | null): Promise<Changes> {
  if (adapter === null) return {states: [], weights: []}
  const saved = await readAdapter(adapter)
  const {parts} = await updateNorms(saved, await modelIn(base ?? saved.base.path, saved))
  return {states: stateNorms(saved), weights: parts}
}

/**
 * The base as far as it is wanted: its weights only where updates are told from them. null where it cannot be opened, or is
 * of other sizes: then parts are those that the adapter names.
 */
async function modelIn(directory: string, saved: SavedAdapter): Promise<KnownModel | null> {
  try {
    const model = knownModel(await openModelDirectory(directory))
    if (!fits(saved, model)) return null
    return saved.settings.every(({method}) => method === 'lora') ? {...model, files: null} : model
  } catch (error) {
    if (error instanceof MambatuneError) return null
    throw error
  }
}
