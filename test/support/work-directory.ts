/** A directory of its own for the tests of one file or one `describe`, made before them and gone afterwards. */
import {afterAll, beforeAll} from '@jest/globals'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

/** Call it at the top of the file or `describe`; the result gives paths inside, from `beforeAll` on. */
export function workDirectory(): (...parts: string[]) => string {
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'mambatune-test-'))
  })
  afterAll(() => rm(directory, {force: true, recursive: true}))
  return (...parts) => path.join(directory, ...parts)
}
