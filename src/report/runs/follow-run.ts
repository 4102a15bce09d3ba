/**
 * What a run writes into metrics.jsonl, as it writes it, for somebody who looks on from another program. It asks the file
 * for its length again and again: not every file system tells of changes.
 */
import {open, stat} from 'node:fs/promises'
import {setTimeout} from 'node:timers/promises'
import {lockState, type Processes} from '../../checkpoint/directory-lock.js'
import {runFiles} from '../../recipe/run-files.js'
import {type MetricsLine, parseLine} from '../metrics-file.js'

export interface FollowOptions {
  readonly processes: Processes
  /** Milliseconds between two looks */
  readonly pause?: number
}

const PAUSE = 300
const NEWLINE = 0x0a

/** Lines that are written from now on, until no program works on the run any more. */
export async function* followRun(
  run: string,
  {pause = PAUSE, processes}: FollowOptions,
): AsyncGenerator<MetricsLine, void> {
  const {metrics} = runFiles(run)
  let at = await lengthOf(metrics)
  for (;;) {
    const isHeld = (await lockState(run, processes)) === 'held' // asked before reading, so that nothing is missed
    const length = await lengthOf(metrics)
    if (length < at) at = length // the run was resumed from a checkpoint, and the file cut back to it
    const {lines, read} = await linesFrom(metrics, at, length)
    at += read
    yield* lines
    if (!isHeld) return
    await setTimeout(pause)
  }
}

/** Whole lines between two places; what cannot be read is not said, because a reader of the whole file will say it. */
async function linesFrom(file: string, from: number, to: number): Promise<{lines: MetricsLine[]; read: number}> {
  if (to <= from) return {lines: [], read: 0}
  const bytes = new Uint8Array(to - from)
  const handle = await open(file, 'r')
  try {
    const {bytesRead} = await handle.read(bytes, 0, bytes.length, from)
    const read = bytes.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1
    const texts = new TextDecoder().decode(bytes.subarray(0, read)).split('\n').slice(0, -1)
    const lines = texts.flatMap((text) => {
      const parsed = parseLine(text)
      return typeof parsed === 'string' ? [] : parsed
    })
    return {lines, read}
  } finally {
    await handle.close()
  }
}

async function lengthOf(file: string): Promise<number> {
  return stat(file).then(
    ({size}) => size,
    () => 0,
  )
}
