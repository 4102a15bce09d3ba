import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {Args, Config, type Errors, Flags} from '@oclif/core'
import {captureOutput} from '@oclif/test'
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {BaseCommand} from '../../src/cli/base-command.js'
import {DataError, InterruptedError, RecipeError} from '../../src/errors.js'
import {repository} from './run-command.js'

const faults = [
  {message: 'train.batchsize is not a key of a recipe. Did you mean train.batch_size?', where: 'recipes/a.yaml:7:3'},
  {message: 'rank is "x",\nexpected a whole number', where: 'recipes/a.yaml:12:10'},
]

class TrainCommand extends BaseCommand {
  static override args = {recipe: Args.string({description: 'The recipe.', required: true})}
  static override flags = {
    device: Flags.string({options: ['auto', 'cpu']}),
    out: Flags.string(),
    rank: Flags.integer(),
    set: Flags.string({multiple: true, multipleNonGreedy: true}),
  }

  static override id = 'train'
  static action: (command: TrainCommand) => unknown

  async run(): Promise<unknown> {
    await this.parse(TrainCommand)
    return TrainCommand.action(this)
  }

  print(): void {
    this.out('loss 2.5')
    this.write('a')
    this.write('b')
  }

  override async progress(): ReturnType<BaseCommand['progress']> {
    return super.progress()
  }
}

interface Outcome {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

let root: string
let config: Config

beforeAll(async () => {
  // As on a build server, wherever the tests run: no live line, no colours.
  Object.assign(process.env, {CI: 'true', TERM: 'xterm'})
  delete process.env['DEBUG']
  delete process.env['FORCE_COLOR']
  root = await mkdtemp(join(tmpdir(), 'mambatune-cli-'))
  const manifest = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as {
    oclif: {exitCodes: object}
  }
  const oclif = {bin: 'mambatune', exitCodes: manifest.oclif.exitCodes}
  await writeFile(join(root, 'package.json'), JSON.stringify({name: 'mambatune', oclif, version: '0.0.0'}))
  config = await Config.load(root)
})

afterAll(() => rm(root, {recursive: true}))

async function run(argv: string[], action: (command: TrainCommand) => unknown): Promise<Outcome> {
  TrainCommand.action = action
  const {error, stderr, stdout} = await captureOutput(() => TrainCommand.run(argv, config), {stripAnsi: false})
  return {code: (error as Partial<Errors.CLIError> | undefined)?.oclif?.exit, stderr, stdout}
}

function raise(error: unknown): () => never {
  return () => {
    throw error
  }
}

describe('results', () => {
  test('go to stdout as text', async () => {
    const {code, stderr, stdout} = await run(['r.yaml'], (command) => command.print())
    expect({code, stderr, stdout}).toEqual({code: undefined, stderr: '', stdout: 'loss 2.5\nab'})
  })

  test('are one object and nothing else with --json, and progress stays on stderr', async () => {
    const {stderr, stdout} = await run(['r.yaml', '--json'], async (command) => {
      command.print()
      const progress = await command.progress()
      progress.note('loading')
      return {loss: 2.5}
    })
    expect(JSON.parse(stdout)).toEqual({loss: 2.5})
    expect(stderr).toBe('loading\n')
  })
})

describe('errors of the library', () => {
  const error = new RecipeError('recipes/a.yaml has 2 faults.', {faults, hint: 'mambatune recipe schema'})

  test('print every fault, aligned, and what to try', async () => {
    const {code, stderr, stdout} = await run(['r.yaml'], raise(error))
    expect(stderr).toBe(
      [
        ' ✖ recipes/a.yaml has 2 faults.',
        '   recipes/a.yaml:7:3    train.batchsize is not a key of a recipe. Did you mean train.batch_size?',
        '   recipes/a.yaml:12:10  rank is "x",',
        '                         expected a whole number',
        '   Try: mambatune recipe schema',
        '',
      ].join('\n'),
    )
    expect({code, stdout}).toEqual({code: 3, stdout: ''})
  })

  test('are one object on stdout with --json', async () => {
    const {code, stderr, stdout} = await run(['r.yaml', '--json'], raise(error))
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'E_RECIPE',
        exit: 3,
        faults,
        hint: 'mambatune recipe schema',
        message: 'recipes/a.yaml has 2 faults.',
      },
    })
    expect({code, stderr}).toEqual({code: 3, stderr: ''})
  })

  test('have a null hint in JSON when there is none', async () => {
    const {stdout} = await run(['r.yaml', '--json'], raise(new DataError('empty')))
    expect(JSON.parse(stdout)).toMatchObject({error: {faults: [], hint: null}})
  })

  test('cannot move the cursor with a name out of a file', async () => {
    const hostile = new DataError('bad', {faults: [{message: 'x\u001B[2J', where: 'a\u001B[1A'}]})
    const {stderr} = await run(['r.yaml'], raise(hostile))
    expect(stderr).not.toContain('\u001B')
  })

  test('end what is live before they are printed', async () => {
    const {stderr} = await run(['r.yaml'], async (command) => {
      const progress = await command.progress()
      progress.stop = () => void process.stderr.write('[stopped]\n')
      throw new DataError('empty')
    })
    expect(stderr).toMatch(/^\[stopped\]\n ✖ empty\n/)
  })
})

describe('interruption', () => {
  test.each([
    ['an InterruptedError', new InterruptedError('Stopped at step 7.'), 'Stopped at step 7.'],
    ['an aborted operation', new DOMException('aborted', 'AbortError'), 'Stopped before the end.'],
    [
      'Ctrl+C at a question',
      Object.assign(new Error('force closed'), {name: 'ExitPromptError'}),
      'Stopped before the end.',
    ],
  ])('%s leaves with 130', async (_, error, message) => {
    const {code, stderr} = await run(['r.yaml'], raise(error))
    expect({code, stderr}).toEqual({code: 130, stderr: ` ✖ ${message}\n`})
  })
})

describe('errors that nobody expected', () => {
  test('are one line, leave with 1, and say how to report them', async () => {
    const {code, stderr} = await run(['my recipe.yaml'], raise(new TypeError('x is not a function\nmore')))
    expect(stderr).toBe(
      ' ✖ Unexpected error: x is not a function\n' +
        "   Try: report this bug together with all that this prints: DEBUG=* mambatune train 'my recipe.yaml'\n",
    )
    expect(code).toBe(1)
  })

  test('show the stack only when DEBUG is set', async () => {
    process.env['DEBUG'] = 'x'
    try {
      const {stderr} = await run(['r.yaml'], raise(new TypeError('boom')))
      expect(stderr).toContain('TypeError: boom\n    at ')
    } finally {
      delete process.env['DEBUG']
    }
  })

  test('of the file system name the file and leave with 4', async () => {
    const {code, stderr} = await run(['r.yaml'], () => stat(join(root, 'absent')))
    expect(stderr).toContain(join(root, 'absent'))
    expect(code).toBe(4)
  })

  test('may be values that are no errors', async () => {
    const {code, stderr} = await run(['r.yaml'], raise('just text'))
    expect(stderr).toContain('Unexpected error: just text')
    expect(code).toBe(1)
  })

  test('leave an exit code that a command chose alone', async () => {
    const {code, stderr} = await run(['r.yaml'], (command) => command.exit(5))
    expect({code, stderr}).toEqual({code: 5, stderr: ''})
  })
})

describe('usage errors', () => {
  test.each([
    [[], 'Missing 1 required arg:\n   recipe  The recipe.'],
    [['a', '--oot', '3'], '--oot is not a flag of mambatune train. Did you mean --out?'],
    [['a', '--zzzzz'], '--zzzzz is not a flag of mambatune train.'],
    [['a', '--device', 'x'], 'Expected --device=x to be one of: auto, cpu'],
    [['a', '--rank', 'x'], '--rank: Expected an integer but received: x'],
    [['a', 'b'], 'Unexpected argument: b'],
    [['a', '--out'], 'Flag --out expects a value'],
  ])('%j leaves with 2', async (argv, message) => {
    const {code, stderr} = await run(argv, () => ({}))
    expect(stderr).toBe(` ✖ ${message}\n   Try: mambatune train --help\n`)
    expect(code).toBe(2)
  })

  test('have a code in JSON', async () => {
    const {code, stdout} = await run(['a', '--rank', 'x', '--json'], () => ({}))
    expect(JSON.parse(stdout)).toMatchObject({error: {code: 'E_USAGE', exit: 2, hint: 'mambatune train --help'}})
    expect(code).toBe(2)
  })

  test('that a command finds later keep the exit code and the advice it gives', async () => {
    const {code, stderr} = await run(['a'], (command) => command.error('no', {exit: 7, suggestions: ['this', 'that']}))
    expect(stderr).toBe(' ✖ no\n   Try: this\n        that\n')
    expect(code).toBe(7)
  })
})
