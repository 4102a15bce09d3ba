/** Parquet on which hyparquet never ends, or that ends the process which reads it. */
import {expect, test} from '@jest/globals'
import {spawn} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {setTimeout} from 'node:timers/promises'
import {FaultList} from '../../src/data/fault-list.js'
import {readParquet} from '../../src/data/parquet-rows.js'
import {repository, runNode} from '../cli/run-command.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

const LIMITS = {memory: 2048, patience: 60_000, patiencePerMib: 0}

/** Rows of a file, or what is said of it. */
async function outcomeOf(name: string, limits: Partial<typeof LIMITS> = {}): Promise<number | string> {
  const faults = new FaultList()
  let rows = 0
  for await (const row of readParquet(`test/fixtures/data/${name}`, faults, {...LIMITS, ...limits})) {
    rows += Number(!!row)
  }
  const fault = faults.error()?.faults[0]
  return fault ? `${fault.where}: ${fault.message}` : rows
}

const refused = (name: string, why: string): string =>
  `test/fixtures/data/${name}:1: is not Parquet that can be read: ${why}`

test('a page without a length, with which reading never ends, is refused at once', async () => {
  const why = 'page 1 of column input_ids.list.element has a length that cannot be'
  expect(await outcomeOf('length-missing.parquet')).toBe(refused('length-missing.parquet', why))
})

test('a run of two thousand million values ends when there is no memory for it, and other files are read on', async () => {
  const why = 'what it says to hold does not fit into 64 MiB of memory'
  expect(await outcomeOf('run-too-long.parquet', {memory: 64})).toBe(refused('run-too-long.parquet', why))
  expect(await outcomeOf('tokens.parquet')).toBe(2)
})

test('or when it has taken too long', async () => {
  expect(await outcomeOf('run-too-long.parquet', {patience: 50})).toBe(
    refused('run-too-long.parquet', 'it was not decoded in 1 s'),
  )
  expect(await Promise.all([outcomeOf('tokens.parquet'), outcomeOf('chat.parquet')])).toEqual([2, 3])
})

test('a program that has read a file ends', async () => {
  const dist = `file://${repository}/dist/data/`
  const began = performance.now()
  const {code, stdout} = await runNode([
    '--input-type=module',
    '--eval',
    `const {readParquet} = await import('${dist}parquet-rows.js'), {FaultList} = await import('${dist}fault-list.js')
     for await (const {where} of readParquet('test/fixtures/data/tokens.parquet', new FaultList())) console.log(where)`,
  ])
  expect({code, rows: stdout.trim().split('\n').length}).toEqual({code: 0, rows: 2})
  expect(performance.now() - began).toBeLessThan(20_000)
})

test('the process that decodes ends with the one that began it, however busy it is', async () => {
  const watch = `file://${repository}/src/data/watch-parent-process.mjs`
  await writeFile(
    inWork('busy.mjs'),
    `import {Worker} from 'node:worker_threads'
     new Worker(new URL('${watch}'), {workerData: {parent: process.ppid}})
     setTimeout(() => process.stdout.write(String(process.pid), () => { for (;;); }), 500)`,
  )
  const begin = `require('node:child_process').spawn(process.execPath, [process.argv[1]], {stdio: 'inherit'})`
  const parent = spawn(process.execPath, ['--eval', begin, inWork('busy.mjs')], {stdio: ['ignore', 'pipe', 'ignore']})
  const pid = Number(String(await new Promise((resolve) => parent.stdout.once('data', resolve))))
  parent.kill('SIGKILL')
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  for (let tries = 0; isThere() && tries < 300; tries++) await setTimeout(100)
  const isLeft = isThere()
  if (isLeft) process.kill(pid, 'SIGKILL')
  expect(isLeft).toBe(false)
})
