/** What the tests of this folder share: a directory to write in, raw safetensors files, and errors as text. */
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import {MambatuneError} from '../../src/errors.js'

/** Runs `use` in an empty directory that is gone afterwards. */
export async function inScratch<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-checkpoint-'))
  try {
    return await use(directory)
  } finally {
    await rm(directory, {force: true, recursive: true})
  }
}

/** A safetensors file put together by hand, so that it can be wrong: header text, data, and a header length that may lie. */
export function rawFile(header: string | Uint8Array, data: Uint8Array, length?: bigint): Uint8Array {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const file = new Uint8Array(8 + bytes.length + data.length)
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(bytes.length), true)
  file.set(bytes, 8)
  file.set(data, 8 + bytes.length)
  return file
}

/** The error that `promise` must end in, with everything that a user would read; fails unless it is one of ours. */
export async function refusalOf(promise: Promise<unknown>): Promise<{error: MambatuneError; text: string}> {
  try {
    await promise
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    const faults = error.faults.map(({message, where}) => `${where}: ${message}`)
    return {error, text: [error.message, ...faults, error.hint ?? ''].join('\n')}
  }

  throw new Error('expected a refusal, but all went well')
}

/** All names below a directory, sorted. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory, {recursive: true})).sort()
}

/** A new file with the given content; returns its path. */
export async function put(directory: string, name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(directory, name)
  await writeFile(file, content)
  return file
}

export async function bytesOf(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(file))
}
