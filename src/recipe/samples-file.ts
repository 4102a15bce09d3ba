/**
 * What the model wrote at the evaluations, one line each. A run that goes on from a checkpoint takes back the lines of
 * evaluations after it, so that the file has the bytes that it would have had if the run had never stopped.
 */
import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {AppendLog} from '../checkpoint/append-log.js'
import {writeFileDurably} from '../checkpoint/output-directory.js'
import {type Progress} from '../train/progress.js'

/** `before` is the file of the run that goes on; null begins anew. */
export async function openSamples(
  file: string,
  before: {readonly file: string; readonly progress: Pick<Progress, 'evaluated' | 'step'>} | null,
): Promise<AppendLog> {
  if (before === null) return AppendLog.create(file)
  const {evaluated, step} = before.progress
  const text = await readFile(before.file, 'utf8').catch(() => '')
  const lines = text.split('\n').slice(0, -1)
  const kept = lines.filter((line) => {
    const of = stepOf(line)
    return of < step || (evaluated && of === step)
  })
  const content = kept.map((line) => `${line}\n`).join('')
  await writeFileDurably(file, content)
  const bytes = Buffer.from(content)
  return AppendLog.reopen(file, {bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex')})
}

/** Infinity for a line that is none of ours. */
function stepOf(line: string): number {
  try {
    const value: unknown = JSON.parse(line)
    const step = typeof value === 'object' && value !== null && 'step' in value ? value.step : null
    return typeof step === 'number' ? step : Infinity
  } catch {
    return Infinity
  }
}
