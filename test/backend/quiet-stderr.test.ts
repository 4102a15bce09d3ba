import {beforeAll, describe, expect, test} from '@jest/globals'
import {execFileSync, spawnSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** Writes by descriptor, as native code does, before, within and after. */
const PROGRAM = `
import {writeSync} from 'node:fs'
import {withQuietStderr} from '${new URL('../../dist/backend/gpu/quiet-stderr.js', import.meta.url).href}'
writeSync(2, 'before ')
const answer = withQuietStderr(() => {
  writeSync(2, 'within ')
  return 7
})
writeSync(2, 'after ')
try {
  withQuietStderr(() => {
    throw new Error('thrown')
  })
} catch {
  process.stderr.write('again ')
}
console.log(answer)
`
let command = ''

beforeAll(() => {
  writeFileSync(inWork('program.mjs'), PROGRAM)
  command = `'${process.execPath}' '${inWork('program.mjs')}'`
})

const inShell = (line: string): string => execFileSync('sh', ['-c', line], {encoding: 'utf8'})

describe('standard error', () => {
  test('is muted while a function runs, and comes back, on a pipe', () => {
    expect(inShell(`${command} 2>&1 >/dev/null | cat`)).toBe('before after again ')
  })

  test('is left alone where it cannot be opened again: a file, a socket', () => {
    inShell(`${command} 2>'${inWork('errors')}'`)
    expect(readFileSync(inWork('errors'), 'utf8')).toBe('before within after again ')
    const {stderr, stdout} = spawnSync(process.execPath, [inWork('program.mjs')], {encoding: 'utf8'})
    expect({stderr, stdout}).toEqual({stderr: 'before within after again ', stdout: '7\n'})
  })
})
