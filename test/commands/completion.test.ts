import {beforeAll, describe, expect, test} from '@jest/globals'
import {execFileSync} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {type KnownCommand, knownCommands} from '../../src/cli/completion/known-command.js'
import {completionScript} from '../../src/cli/completion/script.js'
import {runCommand} from '../cli/run-command.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

beforeAll(async () => {
  const {code, stdout} = await runCommand(['completion', 'bash'])
  expect(code).toBe(0)
  await writeFile(inWork('completion.bash'), stdout)
})

/** What bash offers when Tab is pressed at the end of a line. */
function offered(line: string): string[] {
  const words = line.split(' ')
  const script = `
    source ${inWork('completion.bash')}
    COMP_WORDS=(${words.map((word) => `"${word}"`).join(' ')}); COMP_CWORD=${words.length - 1}
    _mambatune; printf '%s\\n' "\${COMPREPLY[@]}"`
  const shown = execFileSync('bash', ['--norc', '-c', script], {cwd: 'recipes', encoding: 'utf8'})
  return shown.split('\n').filter((word) => word !== '')
}

test.each([
  ['mambatune re', ['recipe', 'report', 'resume']],
  ['mambatune recipe s', ['schema', 'show']],
  ['mambatune resume --f', ['--fork']],
  ['mambatune generate models/tiny-mamba --device ', ['auto', 'gpu', 'cpu', 'tensorflow']],
  ['mambatune train quick', ['quickstart', 'quickstart.yaml']],
  ['mambatune recipe show quick', ['quickstart', 'quickstart.yaml']],
  ['mambatune completion z', ['zsh']],
  ['mambatune chat x --adapter text-k', ['text-kjv.yaml']],
])('bash offers for "%s"', (line, words) => {
  expect(offered(line)).toEqual(words)
})

describe('the table', () => {
  const flag = {allowNo: false, description: "A flag: it's one.", name: 'flag', type: 'boolean' as const}
  const commands = knownCommands([
    {args: {}, flags: {}, hidden: true, id: 'secret'},
    {args: {recipe: {name: 'recipe'}}, flags: {flag}, hidden: false, id: 'a:b', summary: 'Does it. And more.'},
  ])

  test('has no hidden command, and a line about each of the others', () => {
    const known: KnownCommand = {
      choices: [],
      flags: [{isSwitch: true, names: ['--flag'], options: [], summary: 'A flag'}],
      summary: 'Does it',
      takesRecipe: true,
      words: 'a b',
    }
    expect(commands).toEqual([known])
  })

  test('is quoted for fish', () => {
    const [known] = commands
    const flags = [{...known.flags[0], summary: "it's"}]
    const script = completionScript('fish', {bin: 'x', commands: [{...known, flags}], recipes: ['r']})
    expect(script).toContain(String.raw`complete -c x -n '__x_in a b' -l flag -d 'it\'s'`)
  })
})
