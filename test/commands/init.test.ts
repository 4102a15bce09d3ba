import {beforeAll, describe, expect, test} from '@jest/globals'
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {loadRecipe} from '../../src/recipe/load.js'
import {repository, runCommand} from '../cli/run-command.js'
import {talk} from '../cli/talk.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const MODEL = path.join(repository, 'models', 'tiny-mamba')
const ROWS = ['anchor', 'brook', 'candle', 'door'].map((noun) => ({
  completion: `a ${noun}`,
  prompt: `What is ${noun}? `,
}))

/** A folder of its own with a few rows, so that a default found here is not the package's. */
async function folder(name: string): Promise<{cwd: string; env: Record<string, string>}> {
  const cwd = inWork(name)
  await mkdir(cwd)
  const rows = (from: number, to: number): string =>
    ROWS.slice(from, to)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join('')
  await writeFile(path.join(cwd, 'nouns.train.jsonl'), rows(0, 3))
  await writeFile(path.join(cwd, 'nouns.validation.jsonl'), rows(3, 4))
  return {cwd, env: {HF_HOME: inWork('no-cache'), HF_HUB_OFFLINE: '1'}}
}

const FLAGS = {
  budget: '2steps',
  data: 'nouns.train.jsonl',
  goal: 'answer',
  method: 'light',
  model: MODEL,
  out: 'runs/one',
  validation: 'none',
}
const flagsOf = (answers: Readonly<Record<string, string>>): string[] =>
  Object.entries(answers).flatMap(([name, answer]) => [`--${name}`, answer])

describe('init without a terminal', () => {
  test('names every flag that is missing, and neither hangs nor writes', async () => {
    const {cwd, env} = await folder('missing')
    const {code, stderr, stdout} = await runCommand(['init', '--model', MODEL, '--goal', 'answer'], {cwd, env})
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr.match(/--\w+(?= {2})/g)).toEqual(['--data', '--method', '--budget', '--validation', '--out'])
    expect(await readdir(cwd)).toHaveLength(2)
    const inJson = await runCommand(['init', '--json'], {cwd, env})
    expect(inJson.stdout).toContain('With --json nothing is asked, and some questions have no answer.')
  })

  test('says of all flags at once what is wrong with them', async () => {
    const {cwd, env} = await folder('wrong')
    const wrong = {...FLAGS, budget: 'soon', data: 'none.jsonl', out: '.'}
    const {code, stderr} = await runCommand(['init', 'my', ...flagsOf(wrong), '--device', 'cpu'], {cwd, env})
    expect(code).toBe(2)
    expect(stderr.match(/--\w+(?= {2})/g)).toEqual(['--data', '--budget', '--out'])
    expect(await readdir(cwd)).toHaveLength(2)
  })

  test('makes with all flags a recipe that trains at once, and says what makes it again', async () => {
    const {cwd, env} = await folder('flags')
    const args = ['init', 'my', ...flagsOf({...FLAGS, validation: '30%'}), '--device', 'cpu', '--no-measure']
    const {code, stderr, stdout} = await runCommand([...args, '--start'], {cwd, env})
    expect({code, stderr}).toMatchObject({code: 0})
    expect(stdout).toContain(`mambatune init my.yaml --model ${MODEL} --data nouns.train.jsonl --goal answer`)
    expect(stdout).toMatch(/^ {2}mambatune train my\.yaml --device cpu$/m)
    const written = await readFile(path.join(cwd, 'my.yaml'), 'utf8')
    expect(written).toContain('# rows: all that there are')
    expect(written).toMatch(/validation: 30% +# 1 of these rows/)
    expect(stderr).toContain('data.validation: 1 of 3 rows is held out of training.')
    const metrics = await readFile(path.join(cwd, 'runs', 'one', 'metrics.jsonl'), 'utf8')
    expect(metrics.split('\n').filter((line) => line.includes('"event":"step"'))).toHaveLength(2)
    expect(metrics).toContain('"event":"eval"')
  })

  test('takes the defaults of the folder with --yes, and writes nothing over', async () => {
    const {cwd, env} = await folder('defaults')
    await writeFile(path.join(cwd, 'tiny-mamba-balanced.yaml'), '# mine')
    const report = jsonOf(await runCommand(['init', '--yes', '--no-measure', '--device', 'cpu', '--json'], {cwd, env}))
    expect(report).toMatchObject({
      file: 'tiny-mamba-balanced-2.yaml',
      plan: {fits: true, steps: {problem: null, rows: 3, steps: 3}},
      recipe: {
        data: {train: 'nouns.train.jsonl', validation: 'nouns.validation.jsonl'},
        output_dir: 'runs/tiny-mamba-balanced-2',
        train: {epochs: 3},
      },
      time: null,
    })
    const named = await runCommand(['init', 'tiny-mamba-balanced.yaml', '--yes'], {cwd, env})
    expect(named.code).toBe(4)
    expect(named.stderr).toContain('tiny-mamba-balanced.yaml is there already')
    expect(await readFile(path.join(cwd, 'tiny-mamba-balanced.yaml'), 'utf8')).toBe('# mine')
  })

  test('refuses a goal that the rows cannot have', async () => {
    const {cwd, env} = await folder('goal')
    const answers = flagsOf({...FLAGS, goal: 'chat'})
    const {code, stderr} = await runCommand(['init', ...answers, '--device', 'cpu', '--no-measure'], {cwd, env})
    expect(code).toBe(2)
    expect(stderr).toContain('--goal chat: rows of this format can have answer, classify, text.')
    expect(await readdir(cwd)).toHaveLength(2)
  })
})

describe('init at a terminal', () => {
  const ENTER = '\r'
  const DOWN = '\u001B[B'
  const QUICK = ['init', '--no-measure', '--device', 'cpu']
  let at: {cwd: string; env: Record<string, string>}

  beforeAll(async () => {
    at = await folder('asked')
  })

  test('Enter at everything, another answer at the end, and the recipe is saved', async () => {
    const {code, seen} = await talk(
      QUICK,
      [
        ['1/7 Which model?', ''],
        ['tiny-mamba ', ENTER],
        ['2/7 Which data?', ''],
        ['nouns.train.jsonl', ENTER],
        ['⟦', ''],
        ['3 rows', ''],
        ['3/7', ENTER],
        ['4/7', ''],
        ['Balanced', ENTER],
        ['5/7', ''],
        ['3 epochs', ENTER],
        ['6/7', ''],
        ['nouns.validation.jsonl', ENTER],
        ['7/7', ENTER],
        ['And now?', `${DOWN}${DOWN}${ENTER}`],
        ['Which answer?', `${DOWN.repeat(4)}${ENTER}`],
        ['5/7', '7 steps'],
        ['7 steps    ', ENTER],
        ['max_steps: 7', ''],
        ['And now?', `${DOWN}${ENTER}`],
        ['Wrote tiny-mamba-balanced.yaml', ''],
      ],
      at,
    )
    expect(code).toBe(0)
    expect(seen).toContain('--budget 7steps')
    const {recipe} = await loadRecipe(path.join(at.cwd, 'tiny-mamba-balanced.yaml'))
    expect(recipe).toMatchObject({model: {base: MODEL}, train: {max_steps: 7}})
  })

  test('asks again where an answer cannot be used; Ctrl+C leaves, and nothing is written', async () => {
    const before = await readdir(at.cwd)
    const others = Object.fromEntries(Object.entries(FLAGS).filter(([name]) => name !== 'data'))
    const {code, seen} = await talk(
      [...QUICK, ...flagsOf(others)],
      [
        ['2/7 Which data?', 'hub://no/such'],
        ['hub://no/such', ''],
        ['A data set of the hub.', ENTER],
        ['is not in the cache', ''],
        ['2/7 Which data?', ''],
        ['nouns.train.jsonl', '\u0003'],
      ],
      at,
    )
    expect(code).toBe(130)
    expect(seen).toContain('Stopped before the end.')
    expect(await readdir(at.cwd)).toEqual(before)
  })
})
