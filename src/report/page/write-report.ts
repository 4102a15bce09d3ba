/** `mambatune report`: reads a run and writes its page. */
import path from 'node:path'
import {type Processes} from '../../checkpoint/directory-lock.js'
import {openModelDirectory} from '../../checkpoint/model-directory.js'
import {writeFileDurably} from '../../checkpoint/output-directory.js'
import {MambatuneError} from '../../errors.js'
import {type MambaConfig} from '../../model/config.js'
import {configOf} from '../../model/model-files.js'
import {readAdapter} from '../../peft/saved-adapter.js'
import {runFiles} from '../../recipe/run-files.js'
import {type DeltaNorm, deltaNorms} from '../delta-norms.js'
import {readRun, type RunRecord} from '../runs/show-run.js'
import {runPage} from './run-page.js'

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
  const norms = await normsOf(record, base)
  const text = runPage({name: path.basename(path.resolve(run)), norms, run: record})
  const file = out ?? runFiles(run).report
  await writeFileDurably(file, text)
  return {bytes: Buffer.byteLength(text), file, run}
}

async function normsOf({adapter}: RunRecord, base: string | null): Promise<DeltaNorm[]> {
  if (adapter === null) return []
  const saved = await readAdapter(adapter)
  return deltaNorms(saved, await configIn(base ?? saved.base.path))
}

/** null where the base cannot be opened: then slices are those that the adapter names. */
async function configIn(directory: string): Promise<MambaConfig | null> {
  try {
    return configOf(await openModelDirectory(directory))
  } catch (error) {
    if (error instanceof MambatuneError) return null
    throw error
  }
}
