/** The text of a recipe file: UTF-8, of a sensible size. */
import {type FileHandle, open} from 'node:fs/promises'

import {FileError} from '../errors.js'

/** Bytes. The largest recipe we ship has 3 kB; more than this is some other file, given by mistake. */
const MAX_FILE_SIZE = 256 * 1024

/** The text of a recipe file, or a `FileError` that says why there is none. */
export async function readRecipeText(file: string): Promise<string> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const information = await handle.stat()
    if (!information.isFile()) {
      throw notARecipe(file, information.isDirectory() ? 'it is a directory' : 'it is not a plain file')
    }
    if (information.size > MAX_FILE_SIZE) {
      throw notARecipe(file, `it has ${information.size} bytes, and a recipe at most ${MAX_FILE_SIZE}`)
    }
    return decode(await handle.readFile(), file)
  } catch (error) {
    if (error instanceof FileError) throw error
    throw unreadable(file, error)
  } finally {
    await handle?.close()
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (error) {
    throw new FileError(`${file} is no recipe: it is not UTF-8 text.`, {cause: error, hint: NAMES_HINT})
  }
}

const NAMES_HINT = 'mambatune recipe list, for the recipes that can be given by name'

function notARecipe(file: string, reason: string): FileError {
  return new FileError(`${file} is no recipe: ${reason}.`, {hint: NAMES_HINT})
}

function unreadable(file: string, error: unknown): FileError {
  const {code, message} = error as Partial<NodeJS.ErrnoException>
  const text =
    code === 'ENOENT' ? `There is no recipe file ${file}.` : `The recipe file ${file} cannot be read: ${message}`
  return new FileError(text, {cause: error, hint: NAMES_HINT})
}
