import {beforeEach, describe, expect, test} from '@jest/globals'
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {lockDirectory} from '../../src/checkpoint/directory-lock.js'
import {FileError} from '../../src/errors.js'
import {processes} from '../../src/cli/processes.js'
import {workDirectory} from '../support/work-directory.js'
import {processesOf} from './processes.js'

const inWork = workDirectory()
const run = (): string => inWork('run')
const lockFile = (): string => inWork('run', '.lock')

beforeEach(async () => {
  await rm(run(), {force: true, recursive: true})
  await mkdir(run())
})

/** Leaves the lock of a process that was killed. */
async function leaveLock(pid: number, started: string | null): Promise<void> {
  await lockDirectory(run(), processesOf(pid, {[pid]: started}))
}

describe('the lock of a directory', () => {
  test('keeps a second program out, and lets it in when the first is done', async () => {
    const unlock = await lockDirectory(run(), processesOf(1, {1: 'a', 2: 'b'}))
    const second = lockDirectory(run(), processesOf(2, {1: 'a', 2: 'b'}))
    await expect(second).rejects.toThrow(new FileError(`Another run is going on in ${run()}: process 1.`))
    await unlock()
    await (
      await lockDirectory(run(), processesOf(2, {2: 'b'}))
    )()
    expect(await readdir(run())).toEqual([])
  })

  test.each<[string, Readonly<Record<number, string | null>>]>([
    ['no process has the number of its holder', {2: 'b'}],
    ['a process with that number began at another time', {1: 'later', 2: 'b'}],
  ])('is stale where %s', async (_, alive) => {
    await leaveLock(1, 'a')
    const unlock = await lockDirectory(run(), processesOf(2, alive))
    expect(JSON.parse(await readFile(lockFile(), 'utf8'))).toMatchObject({pid: 2, started: 'b'})
    await unlock()
    expect(await readdir(run())).toEqual([])
  })

  test('is kept where the start of its holder is not known', async () => {
    await leaveLock(1, null)
    await expect(lockDirectory(run(), processesOf(2, {1: 'x', 2: 'b'}))).rejects.toThrow(FileError)
  })

  test('of another machine is kept, and the way out named', async () => {
    await writeFile(lockFile(), JSON.stringify({host: 'elsewhere.example', key: 'k', pid: 1, started: 'a'}))
    const taken = lockDirectory(run(), processesOf(2, {2: 'b'}))
    await expect(taken).rejects.toMatchObject({
      hint: `Wait for it. If that machine is gone, remove the lock first: rm ${lockFile()}`,
      message: `Another run is going on in ${run()}: process 1 on elsewhere.example.`,
    })
  })

  test.each(['', '{', '[]', '{"pid": "1"}', 'null'])('that holds %j is damaged, and taken over', async (text) => {
    await writeFile(lockFile(), text)
    await (
      await lockDirectory(run(), processesOf(2, {2: 'b'}))
    )()
    expect(await readdir(run())).toEqual([])
  })

  test('is had by exactly one of many that find a stale one', async () => {
    await leaveLock(1, 'a')
    const alive = Object.fromEntries(Array.from({length: 20}, (_, index) => [index + 2, 'b']))
    const taken = await Promise.allSettled(
      Object.keys(alive).map((pid) => lockDirectory(run(), processesOf(Number(pid), alive))),
    )
    expect(taken.filter(({status}) => status === 'fulfilled')).toHaveLength(1)
    expect(await readdir(run())).toEqual(['.lock'])
  })

  test('does not remove the lock of somebody else', async () => {
    const unlock = await lockDirectory(run(), processesOf(1, {1: 'a'}))
    await writeFile(lockFile(), JSON.stringify({host: 'elsewhere.example', key: 'k', pid: 1, started: 'a'}))
    await unlock()
    expect(await readdir(run())).toEqual(['.lock'])
  })
})

describe('this machine', () => {
  test('knows this process, and none without a number', async () => {
    expect(processes.isAlive(processes.pid)).toBe(true)
    expect(processes.isAlive(2 ** 22 + 1)).toBe(false)
    expect(await processes.startOf(processes.pid)).toBe(await processes.startOf(processes.pid))
    expect(await processes.startOf(2 ** 22 + 1)).toBeNull()
  })
})
