/**
 * Every command that README.md and docs show is run, from the top of each page to its end, in a directory with `models`, `data` and a hub as a
 * reader has them, but small. What cannot be run here is in not-run.ts, with the reason, and its arguments are still read.
 */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {access, mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {HubServer} from '../checkpoint/hub-server.js'
import {repository, runNode} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {writeSmallModel} from '../support/small-model.js'
import {workDirectory} from '../support/work-directory.js'
import {type DocumentedCommand, documentedCommands, mentionedCommands} from './documented-commands.js'
import {NOT_RUN} from './not-run.js'

const ROWS = {
  'definitions.train.jsonl': 24,
  'definitions.validation.jsonl': 4,
  'kjv.train.txt': 40,
  'kjv.validation.txt': 4,
}

const inWork = workDirectory()
const commands = documentedCommands()
const hubs = [
  new HubServer('state-spaces/mamba-130m'),
  new HubServer('state-spaces/mamba-130m-hf'),
  new HubServer('tiiuae/falcon-mamba-7b'),
]

const isSkipped = ({text}: DocumentedCommand): boolean => NOT_RUN.some(([start]) => text.startsWith(start))

/** The words after the program's name; null for another program. */
function programWords({words}: DocumentedCommand): readonly string[] | null {
  const own = words[0] === 'bash' && words[1] === '.carry/run-on-gpu.sh' ? ['node', ...words.slice(2)] : words
  if (own[0] === 'mambatune') return own.slice(1)
  return own[0] === 'node' && own[1] === 'bin/run.js' ? own.slice(2) : null
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const outcomes = new Map<DocumentedCommand, Outcome>()

async function makeDirectory(): Promise<void> {
  await writeSmallModel(inWork('models', 'tiny-mamba'), 'mamba')
  await writeSmallModel(inWork('models', 'tiny-mamba2'), 'mamba2')
  await mkdir(inWork('data'))
  await mkdir(inWork('runs'))
  for (const [name, rows] of Object.entries(ROWS)) {
    const lines = (await readFile(path.join('data', name), 'utf8')).split('\n')
    await writeFile(inWork('data', name), `${lines.slice(0, rows).join('\n')}\n`)
  }
  const recipe = await readFile('recipes/lora-all-projections.yaml', 'utf8')
  await writeFile(inWork('mine.yaml'), recipe.replace('runs/lora-all-projections', 'runs/mine-of-docs'))
  await writeFile(inWork('mine.jsonl'), '{"text": "A row of one\'s own."}\n')
}

async function startHubs(): Promise<void> {
  await writeSmallModel(inWork('falcon'), 'falcon-mamba')
  const sources = [goldenPath('original-mamba1'), inWork('models', 'tiny-mamba'), inWork('falcon')]
  for (const [index, hub] of hubs.entries()) {
    await hub.start()
    for (const name of await readdir(sources[index])) {
      hub.files.set(name, await readFile(path.join(sources[index], name)))
    }
  }
}

/** A preset names its model itself. */
function hubOf(words: readonly string[]): HubServer {
  const text = `${words.join(' ')} `
  const named = hubs.find(({repository: name}) => text.includes(`${name} `))
  return named ?? hubs[1]
}

beforeAll(async () => {
  await makeDirectory()
  await startHubs()
  const own = commands.filter((command) => programWords(command) !== null)
  const tasks = own.map((command) => {
    const words = programWords(command) ?? []
    const only = isSkipped(command) ? 'parse' : 'run'
    // A chat at a terminal is given one line. Nothing else may be given any: oclif takes it for an argument.
    const input = command.input ?? (words[0] === 'chat' ? 'Hello\n' : null)
    return {...command, environment: {HF_ENDPOINT: hubOf(words).endpoint}, input, only, words}
  })
  await writeFile(inWork('tasks.json'), JSON.stringify(tasks))
  const program = path.join(repository, 'test', 'docs', 'command-process.mjs')
  const {stderr} = await runNode([program, inWork('tasks.json'), inWork('results.json')], {
    cwd: inWork(),
    // As on a machine without a GPU, where no driver answers.
    env: {HF_HUB_CACHE: inWork('cache'), VK_DRIVER_FILES: 'there-is-no-such-driver.json'},
  })
  const text = await readFile(inWork('results.json'), 'utf8').catch(() => {
    throw new Error(`the commands were not run to their end\n${stderr}`)
  })
  const results = JSON.parse(text) as Outcome[]
  for (const [index, command] of own.entries()) outcomes.set(command, results[index])
})

afterAll(() => Promise.all(hubs.map((hub) => hub.stop())))

describe('commands of the program', () => {
  const own = commands.filter((command) => programWords(command) !== null)

  test('are found', () => expect(own.length).toBeGreaterThan(60))

  test.each(own.map((command) => [command.where, command.text, command] as const))('%s: %s', (_, __, command) => {
    const {code, stderr = '', stdout = ''} = outcomes.get(command) ?? {}
    expect({code, said: code === 0 ? '' : stderr}).toEqual({code: 0, said: ''})
    if (!isSkipped(command)) expect(command.output === null ? stdout.length : 1).toBeGreaterThan(0)
  })
})

describe('commands of other programs', () => {
  const others = commands.filter((command) => programWords(command) === null)

  test.each(others.map((command) => [command.where, command.text, command] as const))(
    '%s: %s',
    async (_, __, command) => {
      const [program, ...words] = command.words
      if (program === 'mkdir') return
      expect(isSkipped(command)).toBe(true)
      if (program === 'npm') return expect(await isScript(words)).toBe(true)
      const files = words.filter((word) => /\.(?:mjs|sh|json)$/.test(word) && !/^FILE/.test(word))
      expect(files.length).toBeGreaterThan(0)
      await Promise.all(files.map((file) => access(file.replace(/^\.carry\/run/, 'scripts/run'))))
    },
  )
})

async function isScript([verb, name]: readonly string[]): Promise<boolean> {
  const {scripts} = JSON.parse(await readFile('package.json', 'utf8')) as {scripts: Record<string, string>}
  return verb === 'ci' || (verb === 'run' ? name : verb) in scripts
}

test('no reason is given for a command that is not there', () => {
  expect(NOT_RUN.filter(([start]) => !commands.some(({text}) => text.startsWith(start)))).toEqual([])
})

test('commands in running text exist, with the flags that they show', async () => {
  const manifest = JSON.parse(await readFile('oclif.manifest.json', 'utf8')) as {
    commands: Record<string, {flags: Record<string, unknown>}>
  }
  const mentioned = mentionedCommands()
  expect(mentioned.length).toBeGreaterThan(20)
  const wrong = mentioned.filter(({text}) => {
    const words = text.split(/\s+/)
    const id = [words.slice(0, 2).join(':'), words[0]].find((name) => name in manifest.commands)
    const isTopic = Object.keys(manifest.commands).some((name) => name.startsWith(`${words[0]}:`))
    if (id === undefined) return !isTopic || words.length > 1
    return [...text.matchAll(/\s--([a-z-]+)/g)].some(
      ([, flag]) => flag !== 'help' && !(flag in manifest.commands[id].flags),
    )
  })
  expect(wrong).toEqual([])
})
