// One changed file for one reader of scripts/fuzzed-readers.mjs: it must be read or refused with a typed error of ours, in a
// short time, and nothing may be left behind.
import {readdirSync, writeFileSync} from 'node:fs'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {clearTimeout, setTimeout} from 'node:timers'
import {fileURLToPath} from 'node:url'
import {MambatuneError} from '../dist/errors.js'

/** Milliseconds of a processor that no file of these sizes may take; on a busy machine the clock says more. */
const LIMIT = 5000

/** Milliseconds by the clock after which a reader must be waiting for what does not come. */
const PATIENCE = 90_000

/** Cases between two looks for what was left behind, which stays until it is seen. */
const LOOK = 25

const listed = (directory) => readdirSync(directory, {recursive: true}).sort().join()

/**
 * Puts the good files of a reader into a directory, reads them once, and gives what judges others in place of the one that is changed.
 * @returns {Promise<{good: Buffer, feed: (bytes: Uint8Array) => Promise<'read' | 'refused'>}>}
 */
export async function openReader({file, files, name, read}, directory) {
  const contents = new Map(
    await Promise.all(Object.entries(files).map(async ([to, from]) => [to, await readFile(from)])),
  )
  for (const [to, bytes] of contents) {
    await mkdir(path.dirname(path.join(directory, to)), {recursive: true})
    await writeFile(path.join(directory, to), bytes)
  }
  // The good one is read, or the fuzzing would be of nothing; a lock is there to be refused.
  await read(directory).catch((error) => {
    if (name !== 'lock') throw error
  })
  const expected = listed(directory)
  let cases = 0
  const feed = async (bytes) => {
    writeFileSync(path.join(directory, file), bytes)
    const began = process.cpuUsage()
    const outcome = await outcomeOf(read(directory), name)
    const {system, user} = process.cpuUsage(began)
    const took = (system + user) / 1000
    if (took > LIMIT) throw new Error(`${name}: took ${Math.round(took)} ms`)
    const left = cases++ % LOOK === 0 ? listed(directory) : expected
    if (left !== expected) throw new Error(`${name}: left ${left}`)
    return outcome
  }
  return {feed, good: contents.get(file)}
}

async function outcomeOf(reading, name) {
  let timer
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: is still waiting after ${PATIENCE / 1000} s`)), PATIENCE)
  })
  try {
    await Promise.race([reading, tooLong])
    return 'read'
  } catch (error) {
    if (error instanceof MambatuneError) return 'refused'
    throw new Error(`${name}: not an error of ours: ${error?.stack ?? error}`, {cause: error})
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The name of a reader as that of a directory.
 * @param {{name: string}} reader
 * @returns {string}
 */
export const slugOf = ({name}) => name.replaceAll(/[^a-z\d]+/gi, '-').replaceAll(/^-|-$/g, '')

/** What fuzzing has found, a file for each reader, an input in base64 on each line */
export const CORPUS = fileURLToPath(new URL('../test/fixtures/fuzz/corpus', import.meta.url))

/** The inputs that are kept for a reader; none where nothing was found. */
export async function readCorpus(reader) {
  const text = await readFile(path.join(CORPUS, `${slugOf(reader)}.txt`), 'utf8').catch(() => '')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(line, 'base64'))
}
