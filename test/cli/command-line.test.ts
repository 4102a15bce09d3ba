import {describe, expect, test} from '@jest/globals'

import {runCommand} from './run-command.js'

describe('the built program', () => {
  test('shows its help without being asked for a command', async () => {
    const {code, stderr, stdout} = await runCommand([])
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(stdout).toContain('$ mambatune [COMMAND]')
  })

  test('says its version', async () => {
    const {code, stdout} = await runCommand(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^mambatune\/\d+\.\d+\.\d+ /)
  })

  test('leaves with 2 for a command that does not exist, and prints no stack', async () => {
    const {code, stderr, stdout} = await runCommand(['xyzzy', 'recipes/a.yaml', '--out', 'x'])
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toBe(' ✖ xyzzy is not a command of mambatune.\n   Try: mambatune --help\n')
  })

  test('says so in one JSON object with --json', async () => {
    const {code, stderr, stdout} = await runCommand(['xyzzy', '--json'])
    expect({code, stderr}).toEqual({code: 2, stderr: ''})
    expect(JSON.parse(stdout)).toMatchObject({error: {code: 'E_USAGE', exit: 2, faults: []}})
  })
})
