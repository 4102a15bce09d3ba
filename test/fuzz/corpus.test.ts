/** Inputs that fuzzing has found: those that reach code of their own, and those on which a reader once failed. */
import {expect, test} from '@jest/globals'
import {mkdir, readdir} from 'node:fs/promises'
import {CORPUS, openReader, readCorpus, slugOf} from '../../scripts/feed-reader.mjs'
import {READERS} from '../../scripts/fuzzed-readers.mjs'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

test('every input of the corpus is read, or refused with an error of ours', async () => {
  const inputs = await Promise.all(READERS.map(async (reader) => ({inputs: await readCorpus(reader), reader})))
  const failures: string[] = []
  for (const {inputs: list, reader} of inputs) {
    if (list.length === 0) continue
    await mkdir(inWork(slugOf(reader)))
    const {feed} = await openReader(reader, inWork(slugOf(reader)))
    for (const bytes of list) await feed(bytes).catch((error: Error) => failures.push(error.message))
  }
  expect(failures).toEqual([])
})

test('every file of the corpus is of a reader', async () => {
  const names = new Set(READERS.map((reader) => `${slugOf(reader)}.txt`))
  expect((await readdir(CORPUS)).filter((name) => !names.has(name))).toEqual([])
})
