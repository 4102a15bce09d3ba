import {beforeAll, describe, expect, test} from '@jest/globals'
import {cp, mkdir, readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {namesIn} from '../checkpoint/scratch.js'
import {repository, runCommand} from '../cli/run-command.js'
import {goldenPath, readReference} from '../support/golden.js'
import {goldenRows} from '../support/golden-model.js'
import {jsonOf, writeRows} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'
import {adapterDamages} from './adapter-damages.js'
import {type Damage, RECIPE, TRAIN} from './damage.js'
import {dataDamages, recipeDamages, usageDamages} from './input-damages.js'
import {modelDamages} from './model-damages.js'

interface ReportedFailure {
  readonly code: string
  readonly exit: number
  readonly message: string
  readonly hint: string | null
  readonly faults: readonly {readonly where: string; readonly message: string}[]
}

const CODES: Readonly<Record<number, readonly string[]>> = {
  2: ['E_USAGE'],
  3: ['E_DATA', 'E_RECIPE'],
  4: ['E_FILE'],
  5: ['E_DEVICE'],
  8: ['E_MISMATCH'],
}

const inWork = workDirectory()
let made = 0

beforeAll(async () => {
  const good = inWork('good')
  await mkdir(good)
  await cp(path.join(repository, goldenPath('mamba1')), path.join(good, 'model'), {
    filter: (source) => !/lora|reference/.test(path.basename(source)),
    recursive: true,
  })
  const reference = await readReference(goldenPath('mamba1', 'reference.safetensors'))
  await writeRows(path.join(good, 'rows.jsonl'), goldenRows(reference))
  await writeFile(path.join(good, 'recipe.yaml'), RECIPE)
  jsonOf(await runCommand([...TRAIN, '--out', inWork('run'), '--json'], {cwd: good}))
  await cp(inWork('run', 'adapter'), path.join(good, 'adapter'), {recursive: true})
})

/** What native code prints of missing drivers where standard error cannot be muted (src/backend/gpu/quiet-stderr.ts). */
const DAWN_PRINTS = /^(Warning: .*| +at CheckVk.*)\n/gm

/** A copy of the good directory with the damage in it. */
async function damagedCopy({prepare}: Damage): Promise<string> {
  made += 1
  const directory = inWork(`case-${made}`)
  await cp(inWork('good'), directory, {recursive: true})
  await prepare?.(directory)
  return directory
}

/** Every file below with its content: what must be the same afterwards. */
async function contents(directory: string): Promise<Record<string, string>> {
  const names = await namesIn(directory)
  const read = async (name: string): Promise<[string, string]> => {
    const bytes = await readFile(path.join(directory, name)).catch(() => Buffer.from('a directory'))
    return [name, bytes.toString('base64')]
  }
  return Object.fromEntries(await Promise.all(names.map(read)))
}

describe.each<[string, readonly Damage[]]>([
  ['a model', modelDamages],
  ['an adapter', adapterDamages],
  ['a recipe', recipeDamages],
  ['data', dataDamages],
  ['a command line', usageDamages],
])('%s', (_, damages) => {
  test.each(damages)('$name: exit code $exit, and nothing is written', async (damage) => {
    const {args = TRAIN, env = {}, exit, faults, says} = damage
    const directory = await damagedCopy(damage)
    const before = await contents(directory)
    const result = await runCommand([...args, '--json'], {cwd: directory, env})

    const output = jsonOf(result, exit)
    expect(Object.keys(output)).toEqual(['error'])
    const error = output['error'] as ReportedFailure
    expect(Object.keys(error).sort()).toEqual(['code', 'exit', 'faults', 'hint', 'message'])
    expect(error.exit).toBe(exit)
    expect(CODES[exit]).toContain(error.code)
    const said = [error.message, ...error.faults.map(({message, where}) => `${where}: ${message}`), error.hint].join(
      '\n',
    )
    for (const words of says) expect(said).toContain(words)
    if (faults !== undefined) expect(error.faults).toHaveLength(faults)
    // Neither a stack nor an error of JavaScript may reach the user.
    expect(said + result.stderr.replaceAll(DAWN_PRINTS, '')).not.toMatch(
      /\n\s+at |TypeError|RangeError|SyntaxError|ENOENT|undefined/,
    )
    expect(await contents(directory)).toEqual(before)
  })
})

test('the undamaged directory trains', async () => {
  const directory = await damagedCopy({exit: 0, name: '', says: []})
  expect(jsonOf(await runCommand([...TRAIN, '--json'], {cwd: directory}))).toMatchObject({steps: 1})
})

test('without --json the same is said on stderr, and stdout stays empty', async () => {
  const [damage] = recipeDamages
  const directory = await damagedCopy(damage)
  const {code, stderr, stdout} = await runCommand(TRAIN, {cwd: directory})
  expect({code, stdout}).toEqual({code: 3, stdout: ''})
  expect(stderr).toBe(
    ' ✖ The recipe recipe.yaml has a fault.\n' +
      '   recipe.yaml:7:9  train.batchsize: unknown key. Did you mean train.batch_size?\n' +
      '   Try: mambatune recipe schema, for every key with its meaning and default\n',
  )
})
