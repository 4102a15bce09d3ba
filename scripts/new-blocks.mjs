// Which inputs of a reader reach blocks of code that no other one reaches, as V8 counts blocks: scripts/fuzz-coverage.mjs keeps these.
import {mkdir} from 'node:fs/promises'
import {Session} from 'node:inspector/promises'
import {openReader} from './feed-reader.mjs'

/**
 * `kept`, then of `found` those that add blocks, short ones first, `most` bytes in all. Inputs that fail are left out: they are told apart.
 * @param {{files: object}} reader
 * @param {{directory: string, found: Buffer[], kept: Buffer[], most: number}} options
 * @returns {Promise<Buffer[]>}
 */
export async function withNewBlocks(reader, {directory, found, kept, most}) {
  await mkdir(directory, {recursive: true})
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', {callCount: true, detailed: true})
  try {
    const {feed, good} = await openReader(reader, directory)
    const known = new Set()
    const result = []
    const addsBlocks = async (bytes) => {
      const isWell = await feed(bytes).then(
        () => true,
        () => false,
      )
      const fresh = (await reached(session)).filter((block) => !known.has(block))
      for (const block of fresh) known.add(block)
      return isWell && fresh.length > 0
    }
    await addsBlocks(good)
    await addsBlocks(good) // what is compiled lazily has been by now
    let room = most
    for (const bytes of kept) {
      await addsBlocks(bytes)
      result.push(bytes)
      room -= bytes.length
    }
    for (const bytes of found.sort((a, b) => a.length - b.length)) {
      if (bytes.length > room || !(await addsBlocks(bytes))) continue
      result.push(bytes)
      room -= bytes.length
    }
    return result
  } finally {
    session.disconnect()
  }
}

/** Blocks that ran since the last call, in our code and in that of packages. */
async function reached(session) {
  const {result} = await session.post('Profiler.takePreciseCoverage')
  return result
    .filter(({url}) => url.startsWith('file:') && !url.includes('/scripts/'))
    .flatMap(({functions, url}) =>
      functions.flatMap(({ranges}) =>
        ranges.filter(({count}) => count > 0).map(({endOffset, startOffset}) => `${url} ${startOffset} ${endOffset}`),
      ),
    )
}
