/**
 * The zip archive that `torch.save` writes: `<name>/data.pkl`, `<name>/data/<key>` for each storage, all stored without
 * compression. Only its directory is read, by yauzl; a storage becomes a place in the file. Nothing is unpacked, so no
 * name of the archive ever becomes a path.
 */
import path from 'node:path'
import {type Entry, openPromise, type ZipFile} from 'yauzl'

import {type Fault, MambatuneError} from '../errors.js'
import {counted, fileSystemError, quoted, refusal, systemCode} from './file-faults.js'

/** Entries of an archive, at most. The largest models have about a thousand. */
const MOST_ENTRIES = 20_000

/** Bytes of a file, from the start of the archive. */
export interface Place {
  readonly begin: number
  readonly end: number
}

export interface TorchZip {
  readonly pickle: Place
  readonly byteOrder: Place | null
  /** By the key that the pickle names them with */
  readonly storages: ReadonlyMap<string, Place>
}

const PICKLE = 'data.pkl'

/** `file` must be a file. Errors: FileError for anything that is not such an archive. */
export async function readTorchZip(file: string, fileSize: number): Promise<TorchZip> {
  let archive: ZipFile | undefined
  try {
    archive = await openPromise(file, {autoClose: false, lazyEntries: true})
    const entries = await collectEntries(archive)
    return await placesOf(archive, entries, fileSize)
  } catch (error) {
    if (error instanceof Unusable) throw unreadable(file, error.message)
    if (error instanceof MambatuneError || systemCode(error) !== null) throw fileSystemError(error, 'read', file)
    // All that yauzl finds wrong is a plain Error.
    throw unreadable(file, `this is no sound zip archive: ${quoted((error as Error).message)}`)
  } finally {
    archive?.close()
  }
}

class Unusable extends Error {}

async function collectEntries(archive: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  if (archive.entryCount > MOST_ENTRIES) {
    throw new Unusable(`the archive says that it has ${archive.entryCount} entries; at most ${MOST_ENTRIES} are read`)
  }

  const entries = new Map<string, Entry>()
  for await (const entry of archive.eachEntry()) {
    if (entries.has(entry.fileName)) throw new Unusable(`two entries have the name ${quoted(entry.fileName)}`)
    entries.set(entry.fileName, entry)
  }

  return entries
}

async function placesOf(archive: ZipFile, entries: ReadonlyMap<string, Entry>, fileSize: number): Promise<TorchZip> {
  const pickles = [...entries.keys()].filter((name) => name.split('/').slice(1).join('/') === PICKLE)
  if (pickles.length !== 1) {
    throw new Unusable(
      `expected one ${PICKLE} in the archive, found ${pickles.length}: it was not written by torch.save`,
    )
  }

  const prefix = pickles[0].slice(0, -PICKLE.length)
  const place = async (name: string): Promise<Place | null> => {
    const entry = entries.get(prefix + name)
    return entry ? placeOf(archive, entry, fileSize) : null
  }

  const storages = new Map<string, Place>()
  for (const [name, entry] of entries) {
    const key = name.startsWith(`${prefix}data/`) ? name.slice(`${prefix}data/`.length) : ''
    if (key !== '') storages.set(key, await placeOf(archive, entry, fileSize))
  }

  return {byteOrder: await place('byteorder'), pickle: (await place(PICKLE)) as Place, storages}
}

async function placeOf(archive: ZipFile, entry: Entry, fileSize: number): Promise<Place> {
  const {compressedSize, compressionMethod, fileName, uncompressedSize} = entry
  if (entry.isEncrypted()) throw new Unusable(`entry ${quoted(fileName)} is encrypted`)
  if (compressionMethod !== 0 || compressedSize !== uncompressedSize) {
    throw new Unusable(`entry ${quoted(fileName)} is compressed; torch.save stores everything as it is`)
  }

  const {fileDataStart: begin} = await archive.readLocalFileHeaderPromise(entry, {minimal: true})
  const end = begin + uncompressedSize
  if (!Number.isSafeInteger(end) || end > fileSize) {
    const size = counted(uncompressedSize, 'byte')
    throw new Unusable(`entry ${quoted(fileName)} of ${size} reaches past the end of the file`)
  }

  return {begin, end}
}

function unreadable(file: string, message: string): MambatuneError {
  const fault: Fault = {message, where: path.basename(file)}
  return refusal(`Cannot read ${file} as a file of PyTorch`, [fault], 'Download or copy the file again.')
}
