/**
 * Keeps two programs out of one directory: a file `.lock` that names its holder. It appears whole (written under another
 * name, then linked), so it is never half a lock. A holder that was killed leaves it behind; it is stale when it was made
 * on this machine by a process that is no more: none has its number, or one that began at another time.
 */
import {createHash, randomBytes} from 'node:crypto'
import {link, readFile, rename, rm, stat} from 'node:fs/promises'
import {hostname} from 'node:os'
import path from 'node:path'
import {setTimeout} from 'node:timers/promises'

import {FileError} from '../errors.js'
import {fileSystemError, printable, systemCode} from './file-faults.js'
import {isObject} from './json-file.js'
import {writeFileDurably} from './output-directory.js'

export const LOCK = '.lock'

/** Milliseconds to wait for a program that is taking over a stale lock. */
const PAUSE = 5

/** What is known of processes; the command line knows, the library is told. */
export interface Processes {
  /** Of this process */
  readonly pid: number
  isAlive(pid: number): boolean
  /** When it began, in any form that tells it from one before with the same number; null where that is not known. */
  startOf(pid: number): Promise<string | null>
}

interface Holder {
  readonly host: string
  readonly pid: number
  readonly started: string | null
  /** Tells this lock from any other */
  readonly key: string
}

/** Takes the lock of a directory, which must exist; gives what releases it. Errors: FileError if another program has it. */
export async function lockDirectory(directory: string, processes: Processes): Promise<() => Promise<void>> {
  const file = path.join(directory, LOCK)
  const {pid} = processes
  const key = randomBytes(16).toString('hex')
  const mine: Holder = {host: hostname(), key, pid, started: await processes.startOf(pid)}
  const written = path.join(directory, `.lock.${randomBytes(6).toString('hex')}.partial`)
  await writeFileDurably(written, `${JSON.stringify(mine)}\n`)
  try {
    for (;;) {
      if (await tryLink(written, file)) break
      const holder = await holderOf(file)
      if (holder && (await isHeld(holder, processes))) throw inUse(directory, holder)
      if (await takeOver(file, holder, written, processes)) break
    }
  } finally {
    await rm(written, {force: true})
  }
  return async () => {
    if ((await holderOf(file))?.key === key) await rm(file, {force: true})
  }
}

/** Whether a program that lives has the directory; stale: one had it that was killed. */
export async function lockState(directory: string, processes: Processes): Promise<'free' | 'held' | 'stale'> {
  const file = path.join(directory, LOCK)
  const holder = await holderOf(file)
  if (!holder) return (await exists(file)) ? 'stale' : 'free'
  return (await isHeld(holder, processes)) ? 'held' : 'stale'
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw fileSystemError(error, 'write', to)
  }
}

/** null: there is none, or it cannot be read, which only a damaged disk can bring about. */
async function holderOf(file: string): Promise<Holder | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (!isObject(value)) return null
    const {host, key, pid, started} = value
    const isWhole = typeof host === 'string' && typeof key === 'string' && Number.isSafeInteger(pid)
    return isWhole ? {host, key, pid: pid as number, started: typeof started === 'string' ? started : null} : null
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return null
    throw fileSystemError(error, 'read', file)
  }
}

/** Of processes on other machines nothing is known: they are taken to live. */
async function isHeld({host, pid, started}: Holder, processes: Processes): Promise<boolean> {
  if (host !== hostname()) return true
  if (!processes.isAlive(pid)) return false
  const now = await processes.startOf(pid)
  return started === null || now === null || now === started
}

/**
 * Replaces a stale lock, and says whether it did. Whoever wants to needs a claim on that very lock, a file named by its
 * key, so that two programs that find it stale at the same time cannot take it one after the other.
 */
async function takeOver(file: string, stale: Holder | null, written: string, processes: Processes): Promise<boolean> {
  const name = createHash('sha256')
    .update(stale?.key ?? '')
    .digest('hex')
    .slice(0, 12)
  const claim = `${file}.${name}.partial`
  if (!(await tryLink(written, claim))) {
    const claimant = await holderOf(claim)
    if (claimant && !(await isHeld(claimant, processes))) await rm(claim, {force: true}) // it was killed just here
    await setTimeout(PAUSE)
    return false
  }
  const isStill = (await exists(file)) && (await holderOf(file))?.key === stale?.key
  if (isStill) await rename(claim, file)
  else await rm(claim, {force: true})
  return isStill
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

function inUse(directory: string, {host, pid}: Holder): FileError {
  const isHere = host === hostname()
  const where = isHere ? '' : ` on ${printable(host)}`
  return new FileError(`Another run is going on in ${directory}: process ${pid}${where}.`, {
    hint: isHere
      ? 'Wait for it, or stop it with Ctrl+C; or name another directory.'
      : `Wait for it. If that machine is gone, remove the lock first: rm ${path.join(directory, LOCK)}`,
  })
}
