/** Output appears whole or not at all, and never over something else. */
import {copyFile, type FileHandle, mkdir, readdir, readFile, rmdir, stat, symlink, writeFile} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {replaceFile, writeAll, writeDirectory, writeFileDurably} from '../../src/checkpoint/output-directory.js'
import {DataError, FileError} from '../../src/errors.js'
import {inScratch, namesIn, put, refusalOf} from './scratch.js'

async function fill(temporary: string): Promise<void> {
  await mkdir(path.join(temporary, 'inner'))
  await put(temporary, 'inner/a.txt', 'a')
  await put(temporary, 'b.txt', 'b')
}

describe('writeDirectory', () => {
  test('makes the directory and its parents, and leaves nothing else', async () => {
    await inScratch(async (scratch) => {
      await writeDirectory(path.join(scratch, 'x', 'y', 'out'), fill)
      expect(await namesIn(path.join(scratch, 'x'))).toEqual([
        'y',
        'y/out',
        'y/out/b.txt',
        'y/out/inner',
        'y/out/inner/a.txt',
      ])
      expect(await namesIn(scratch)).toContain('x')
    })
  })

  test('fills a sibling that is recognisable, while the target is not there', async () => {
    await inScratch(async (scratch) => {
      let seen: readonly string[] = []
      await writeDirectory(path.join(scratch, 'out'), async (temporary) => {
        seen = await readdir(scratch)
        expect(path.dirname(temporary)).toBe(scratch)
        expect(path.basename(temporary)).toBe(seen[0])
      })
      expect(seen).toHaveLength(1)
      expect(seen[0]).toMatch(/^\.out\.[\da-f]{12}\.partial$/)
      expect(await namesIn(scratch)).toEqual(['out'])
    })
  })

  test('has the permissions of any new directory', async () => {
    await inScratch(async (scratch) => {
      await mkdir(path.join(scratch, 'plain'))
      await writeDirectory(path.join(scratch, 'out'), fill)
      const mode = async (name: string): Promise<number> => (await stat(path.join(scratch, name))).mode
      expect(await mode('out')).toBe(await mode('plain'))
    })
  })

  test('takes the place of an empty directory, also behind a link', async () => {
    await inScratch(async (scratch) => {
      await mkdir(path.join(scratch, 'empty'))
      await symlink('empty', path.join(scratch, 'link'))
      await writeDirectory(path.join(scratch, 'link'), fill)
      expect(await namesIn(path.join(scratch, 'empty'))).toContain('b.txt')
      expect((await readdir(scratch)).sort()).toEqual(['empty', 'link'])
    })
  })

  test('refuses a directory that holds anything before it does any work', async () => {
    await inScratch(async (scratch) => {
      await mkdir(path.join(scratch, 'out'))
      await put(scratch, 'out/mine.txt', 'mine')
      let called = false
      const writing = writeDirectory(path.join(scratch, 'out'), async () => {
        called = true
        return Promise.resolve()
      })
      const {error, text} = await refusalOf(writing)
      expect(error).toBeInstanceOf(FileError)
      expect(text).toMatch(/Cannot write .*out: it holds mine\.txt\n.*does not exist yet/)
      expect(called).toBe(false)
      expect(await namesIn(scratch)).toEqual(['out', 'out/mine.txt'])
    })
  })

  test('refuses a file and a place below a file', async () => {
    await inScratch(async (scratch) => {
      await put(scratch, 'file', 'x')
      expect((await refusalOf(writeDirectory(path.join(scratch, 'file'), fill))).text).toContain('is a file')
      expect((await refusalOf(writeDirectory(path.join(scratch, 'file', 'out'), fill))).text).toContain('is a file')
      expect(await namesIn(scratch)).toEqual(['file'])
      expect(await readFile(path.join(scratch, 'file'), 'utf8')).toBe('x')
    })
  })

  test('refuses the current directory, which it could only replace', async () => {
    await inScratch(async (scratch) => {
      const before = process.cwd()
      process.chdir(scratch)
      try {
        expect((await refusalOf(writeDirectory('.', fill))).text).toContain(
          'Cannot write .: it is the current directory',
        )
      } finally {
        process.chdir(before)
      }

      expect(await namesIn(scratch)).toEqual([])
    })
  })

  test('does not write over what appeared while it worked', async () => {
    await inScratch(async (scratch) => {
      const out = path.join(scratch, 'out')
      const writing = writeDirectory(out, async (temporary) => {
        await fill(temporary)
        await mkdir(out)
        await put(out, 'theirs.txt', 'theirs')
      })
      expect((await refusalOf(writing)).text).toContain('something else was written there meanwhile')
      expect(await namesIn(scratch)).toEqual(['out', 'out/theirs.txt'])
    })
  })

  test.each([
    ['an error of ours', new DataError('no rows'), DataError],
    ['any other error', new TypeError('a bug'), TypeError],
  ])('takes everything back on %s and passes it on', async (_, thrown, type) => {
    await inScratch(async (scratch) => {
      const writing = writeDirectory(path.join(scratch, 'deep', 'er', 'out'), async (temporary) => {
        await fill(temporary)
        throw thrown
      })
      await expect(writing).rejects.toThrow(type)
      expect(await namesIn(scratch)).toEqual([])
    })
  })

  test('keeps parents that were there, and those that others use meanwhile', async () => {
    await inScratch(async (scratch) => {
      await mkdir(path.join(scratch, 'old'))
      const writing = writeDirectory(path.join(scratch, 'old', 'new', 'out'), async () => {
        await put(scratch, 'old/new/other.txt', 'x')
        throw new DataError('no rows')
      })
      await expect(writing).rejects.toThrow('no rows')
      expect(await namesIn(scratch)).toEqual(['old', 'old/new', 'old/new/other.txt'])
    })
  })

  test('names the file that could not be copied, else the target', async () => {
    await inScratch(async (scratch) => {
      const missing = path.join(scratch, 'tokenizer.json')
      const copying = writeDirectory(path.join(scratch, 'out'), async (temporary) =>
        copyFile(missing, path.join(temporary, 'tokenizer.json')),
      )
      expect((await refusalOf(copying)).text).toContain(`Cannot read ${missing}: no such file`)
      const removed = writeDirectory(path.join(scratch, 'out'), async (temporary) => rmdir(temporary))
      expect((await refusalOf(removed)).text).toContain(`Cannot write ${path.join(scratch, 'out')}: no such file`)
      expect(await namesIn(scratch)).toEqual([])
    })
  })

  test('of two that race for one name, one wins and the other is refused', async () => {
    await inScratch(async (scratch) => {
      const out = path.join(scratch, 'out')
      const results = await Promise.allSettled([writeDirectory(out, fill), writeDirectory(out, fill)])
      expect(results.map(({status}) => status).sort()).toEqual(['fulfilled', 'rejected'])
      const lost = results.find((result) => result.status === 'rejected')
      expect(lost?.reason).toBeInstanceOf(FileError)
      expect(await readdir(scratch)).toEqual(['out'])
      expect(await namesIn(out)).toEqual(['b.txt', 'inner', 'inner/a.txt'])
    })
  })
})

describe('writeFileDurably', () => {
  test('writes text and bytes, and replaces what was there', async () => {
    await inScratch(async (scratch) => {
      const file = path.join(scratch, 'a.txt')
      await writeFileDurably(file, 'naïve')
      expect(await readFile(file, 'utf8')).toBe('naïve')
      await writeFileDurably(file, Uint8Array.of(1, 2))
      expect([...(await readFile(file))]).toEqual([1, 2])
      expect(await namesIn(scratch)).toEqual(['a.txt'])
    })
  })

  test('refuses a directory and a place that is not there, and leaves nothing', async () => {
    await inScratch(async (scratch) => {
      await mkdir(path.join(scratch, 'd'))
      expect((await refusalOf(writeFileDurably(path.join(scratch, 'd'), ''))).text).toContain('it is a directory')
      const nowhere = path.join(scratch, 'no', 'where')
      expect((await refusalOf(writeFileDurably(nowhere, ''))).text).toContain(`Cannot write ${nowhere}: no such file`)
      expect(await namesIn(scratch)).toEqual(['d'])
    })
  })
})

test('a file that fails half-way stays as it was', async () => {
  await inScratch(async (scratch) => {
    const file = path.join(scratch, 'a')
    await writeFile(file, 'before')
    const writing = replaceFile(file, async (handle) => {
      await handle.write('half')
      expect(await namesIn(scratch)).toHaveLength(2)
      throw new Error('the other half')
    })
    await expect(writing).rejects.toThrow('the other half')
    expect(await readFile(file, 'utf8')).toBe('before')
    expect(await namesIn(scratch)).toEqual(['a'])
  })
})

test('bytes are written whole when the system takes fewer than it was given', async () => {
  await inScratch(async (scratch) => {
    const file = path.join(scratch, 'a')
    const bytes = Uint8Array.from({length: 1000}, (_, i) => i % 251)
    await replaceFile(file, async (handle) => {
      const write = async (from: Uint8Array, at: number, length: number): Promise<unknown> =>
        handle.write(from, at, Math.min(length, 7))
      await writeAll({write} as unknown as FileHandle, bytes, 100)
    })
    expect(Buffer.compare(await readFile(file), bytes)).toBe(0)
  })
})
