/**
 * Reads model.safetensors.index.json or pytorch_model.bin.index.json, which says in which of several files each tensor of a
 * large model lies, and checks it against these files. An index is a downloaded file: the names in it are trusted with nothing, and none of
 * them may lead out of the directory.
 */
import path from 'node:path'

import {type Fault} from '../errors.js'
import {quoted} from './file-faults.js'
import {isObject, readJsonFile} from './json-file.js'
import {type TensorEntry} from './safetensors-header.js'
import {collectHeader, type Weights} from './weight-files.js'

export async function readShardedWeights(directory: string, indexFile: string): Promise<Weights> {
  const index = await readJsonFile(indexFile)
  const nothing = {tensors: new Map<string, TensorEntry>(), weightFiles: []}
  if (index.object === null) return {...nothing, faults: index.faults}
  const {weight_map: map} = index.object
  if (!isObject(map) || Object.keys(map).length === 0) {
    const message = `weight_map must be an object of tensor names and file names, got ${quoted(map)}`
    return {...nothing, faults: [{message, where: indexFile}]}
  }

  const kind = indexFile.endsWith('.bin.index.json') ? 'bin' : 'safetensors'
  const {faults, places, shards} = readPlaces(map, indexFile, kind)
  const tensors = new Map<string, TensorEntry>()
  const weightFiles: string[] = []
  for (const shard of [...shards].sort()) {
    const file = path.join(directory, shard)
    const found = await collectHeader(file)
    weightFiles.push(file)
    const wrong = found.header === null ? found.faults : compare(shard, found.header.entries, places, tensors)
    for (const fault of wrong) faults.push(fault)
  }

  return {faults, tensors, weightFiles}
}

function readPlaces(
  map: Readonly<Record<string, unknown>>,
  indexFile: string,
  kind: 'bin' | 'safetensors',
): {places: ReadonlyMap<string, string>; shards: ReadonlySet<string>; faults: Fault[]} {
  const places = new Map<string, string>()
  const refused = new Map<unknown, string>()
  for (const [tensor, shard] of Object.entries(map)) {
    if (isPlainFileName(shard, kind)) places.set(tensor, shard)
    else if (!refused.has(shard)) refused.set(shard, tensor)
  }

  const faults = [...refused].map(([shard, tensor]) => ({
    message: `file name ${quoted(shard)} of tensor ${quoted(tensor)} must be the plain name of a .${kind} file in this directory`,
    where: indexFile,
  }))
  return {faults, places, shards: new Set(places.values())}
}

/** Refuses '..', absolute paths, other drives and streams of Windows, and all that has a separator of either kind. */
export function isPlainFileName(name: unknown, kind: string): name is string {
  return (
    typeof name === 'string' &&
    /^[^/\\:\p{Cc}]+$/u.test(name) &&
    name.length > kind.length + 1 &&
    name.endsWith(`.${kind}`)
  )
}

/** Adds the shard's tensors to `tensors`, and returns where shard and index disagree. */
function compare(
  shard: string,
  entries: ReadonlyMap<string, TensorEntry>,
  places: ReadonlyMap<string, string>,
  tensors: Map<string, TensorEntry>,
): readonly Fault[] {
  const faults: Fault[] = []
  for (const [name, entry] of entries) {
    const place = places.get(name)
    if (place === shard) {
      tensors.set(name, entry)
    } else {
      const message = place === undefined ? 'the index does not list it' : `the index says that it lies in ${place}`
      faults.push({message: `this shard holds the tensor, but ${message}`, where: `${shard}: ${quoted(name)}`})
    }
  }

  for (const [name, place] of places) {
    if (place === shard && !entries.has(name)) {
      faults.push({
        message: 'the index says that this shard holds the tensor, but it does not',
        where: `${shard}: ${quoted(name)}`,
      })
    }
  }

  return faults
}
