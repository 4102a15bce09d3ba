import {beforeAll, describe, expect, test} from '@jest/globals'
import {type ChildProcess, spawn} from 'node:child_process'
import {appendFile, cp, mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {hostname} from 'node:os'
import path from 'node:path'
import {eventLine} from '../../src/report/event-lines.js'
import {repository, runCommand, type RunResult} from '../cli/run-command.js'
import {difference} from '../support/close.js'
import {goldenPath} from '../support/golden.js'
import {jsonOf, type MetricsLine, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const inRuns = (...parts: string[]): string => inWork('runs', ...parts)
let trained: RunResult
let rows: string

const linesOf = async (file: string): Promise<MetricsLine[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as MetricsLine)

/** A run of twelve steps with everything that a run can write. */
beforeAll(async () => {
  rows = await writeRows(inWork('rows.jsonl'), unevenRows([24, 31, 9, 17]))
  const recipe = await writeRecipe(inWork('recipe.yaml'), {
    adapters: [{method: 'lora', targets: ['in_proj', 'x_proj.B'], rank: 4, alpha: 8}, {method: 'initial-state'}],
    data: {validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12]))},
    more: {eval: {every: 4, at_start: true}, logging: {every: 5, report: true, tensorboard: true}},
    output: inRuns('full'),
    train: rows,
    training: {epochs: 6, max_steps: 12},
  })
  trained = await runCommand(['train', recipe, '--device', 'cpu', '--events', '-'])
  await mkdir(inRuns('group'))
  await cp(inRuns('full'), inRuns('group', 'other'), {recursive: true})
  const other = inRuns('group', 'other', 'recipe.resolved.yaml')
  await writeFile(other, (await readFile(other, 'utf8')).replace('rank: 4', 'rank: 16'))
})

describe('--events', () => {
  test('writes lines that the schema describes, from start to end, and nothing else on stdout', () => {
    expect({code: trained.code, stderr: trained.stderr}).toMatchObject({code: 0})
    const events = trained.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as MetricsLine)
    const faults = events.flatMap((event) => {
      const {error} = eventLine.safeParse(event)
      return error ? [JSON.stringify(event), error.message] : []
    })
    expect(faults).toEqual([])
    const kinds = events.map(({event}) => event)
    expect([kinds.at(0), kinds.at(-1)]).toEqual(['start', 'end'])
    expect(kinds.filter((kind) => kind === 'step')).toHaveLength(12)
    expect([...new Set(kinds)]).toEqual(expect.arrayContaining(['plan', 'stage', 'gauge', 'eval', 'checkpoint']))
    expect(events.at(-1)).toMatchObject({adapter: inRuns('full', 'adapter'), steps: 12})
    expect(events.filter(({event}) => event === 'step').at(-1)).toMatchObject({eta_s: 0, percent: 100})
  })

  test('in a file are added to what is there; an error is the last of them', async () => {
    const file = inWork('events.jsonl')
    await writeFile(file, '{"event":"earlier"}\n')
    const run = await runCommand(['train', inWork('recipe.yaml'), '--events', file, '--json'])
    expect(jsonOf(run, 4)).toMatchObject({error: {code: 'E_FILE'}})
    const events = await linesOf(file)
    expect(events.map(({event}) => event)).toEqual(['earlier', 'start', 'error'])
    expect(events.at(-1)).toMatchObject({code: 'E_FILE', exit: 4})
    expect(eventLine.safeParse(events.at(-1)).error).toBeUndefined()
  })

  test('on stdout leave no place for --json', async () => {
    const {error} = jsonOf(await runCommand(['train', 'quickstart', '--events', '-', '--json']), 2)
    expect(error).toMatchObject({code: 'E_USAGE', hint: expect.stringContaining('--events events.jsonl')})
  })

  test('have a JSON schema', async () => {
    const schema = jsonOf(await runCommand(['runs', 'schema', '--json']))
    expect(schema).toMatchObject({title: 'mambatune events'})
    expect(schema['oneOf'] ?? schema['anyOf']).toHaveLength(16)
  })
})

describe('gauges', () => {
  test('come after the first step, every fifth and the last, and their norms are parts of the whole one', async () => {
    const lines = await linesOf(inRuns('full', 'metrics.jsonl'))
    const gauges = lines.filter(({event}) => event === 'gauge')
    expect(gauges.map(({step}) => step)).toEqual([1, 5, 10, 12])
    for (const {grad_norms: norms, memory_bytes: memory, step} of gauges) {
      expect(Object.keys(norms as object)).toEqual([
        '0.in_proj',
        '0.x_proj.B',
        '1.initial_state.scan',
        '1.initial_state.conv',
      ])
      const whole = Math.sqrt(Object.values(norms as Record<string, number>).reduce((sum, norm) => sum + norm ** 2, 0))
      const line = lines.find((other) => other['event'] === 'step' && other['step'] === step)
      expect(difference([whole], [Number(line?.['grad_norm'])], {absolute: 0, relative: 1e-12})).toBeNull()
      expect(Number(memory)).toBeGreaterThan(1e7)
    }
  })
})

describe('runs list', () => {
  test('prints name, model, method, status, steps, losses, time and size of every run, in folders too', async () => {
    const {code, stdout} = await runCommand(['runs', 'list', inRuns()])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^NAME +MODEL +METHOD +STATUS +STEPS +LOSS +BEST VALIDATION +WHEN +SIZE$/m)
    expect(stdout).toMatch(
      /^full .* lora \+ initial-state +finished +12\/12 +\d\.\d{4} +\d\.\d{4} @ \d+ +today \d\d:\d\d +[\d.]+ [kM]B$/m,
    )
    expect(stdout).toMatch(/^group\/other /m)
  })

  test('tells interrupted, failed and damaged runs apart with --json', async () => {
    for (const name of ['stopped', 'failed', 'damaged']) {
      await cp(inRuns('full'), inWork('states', name), {recursive: true})
    }
    const first = (await readdir(inRuns('full', 'checkpoints')))[0]
    // The lock of a machine of which nothing is known, and that of a process that is no more
    for (const [name, host] of [
      ['elsewhere', `not-${hostname()}`],
      ['killed', hostname()],
    ]) {
      await cp(inRuns('full', 'recipe.resolved.yaml'), inWork('states', name, 'recipe.resolved.yaml'))
      const lock = {host, key: name, pid: 2 ** 22 - 1, started: null}
      await writeFile(inWork('states', name, '.lock'), JSON.stringify(lock))
    }
    await rm(inWork('states', 'stopped', 'checkpoints', first))
    await rm(inWork('states', 'failed', 'adapter'), {recursive: true})
    await appendFile(inWork('states', 'damaged', 'metrics.jsonl'), 'no JSON\n')
    const runs = JSON.parse((await runCommand(['runs', 'list', inWork('states'), '--json'])).stdout) as MetricsLine[]
    const byName = Object.fromEntries<unknown>(
      runs.map(({name, problem, status}) => [String(name), [status, problem === null]]),
    )
    expect(byName).toEqual({
      damaged: ['finished', false],
      elsewhere: ['running', true],
      failed: ['failed', true],
      killed: ['interrupted', true],
      stopped: ['interrupted', true],
    })
  })

  test('says how to begin where there are none, and leaves with 4 where there is no folder', async () => {
    await mkdir(inWork('empty'))
    expect((await runCommand(['runs', 'list', inWork('empty')])).stdout).toContain('mambatune train RECIPE')
    expect((await runCommand(['runs', 'list', inWork('nowhere')])).code).toBe(4)
  })

  test('does not take what is piped in for the argument that is left out', async () => {
    await mkdir(inWork('piped', 'runs'), {recursive: true})
    const {code, stdout} = await runCommand(['runs', 'list'], {cwd: inWork('piped'), input: 'nowhere\n'})
    expect(stdout).toContain('mambatune train RECIPE')
    expect(code).toBe(0)
  })
})

describe('runs show', () => {
  test('prints recipe, hashes, a curve, checkpoints and what to type next', async () => {
    const {code, stdout} = await runCommand(['runs', 'show', inRuns('full')])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^status +finished, 12\/12 steps/m)
    expect(stdout).toMatch(/^validation +\d\.\d{4} → \d\.\d{4}, best \d\.\d{4} at step \d+$/m)
    for (const name of ['base', 'data', 'adapter']) {
      expect(stdout).toMatch(new RegExp(`^${name} hash +sha256:[\\da-f]{64}$`, 'm'))
    }
    expect(stdout).toMatch(/[\u2801-\u28FF]/u)
    expect(stdout).toMatch(/^checkpoints +12$/m)
    expect(stdout).toContain(`mambatune merge ${inRuns('full', 'adapter')} --base`)
  })

  test('prints all of it with --json, and leaves with 4 for what is no run', async () => {
    const run = jsonOf(await runCommand(['runs', 'show', inRuns('full'), '--json']))
    expect(run).toMatchObject({planned_steps: 12, status: 'finished', trainable_parameters: expect.any(Number)})
    expect(run['steps']).toHaveLength(12)
    expect((await runCommand(['runs', 'show', 'src'])).code).toBe(4)
  })
})

describe('runs compare', () => {
  test('puts what differs in the recipes and the results side by side', async () => {
    const names = [inRuns('full'), inRuns('group', 'other')]
    const {code, stdout} = await runCommand(['runs', 'compare', ...names])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^adapters\.0\.rank +4 +16$/m)
    expect(stdout).toMatch(/^best validation +\d\.\d{4} +\d\.\d{4}$/m)
    expect(stdout).not.toContain('train.batch_size')
    const comparison = jsonOf(await runCommand(['runs', 'compare', ...names, '--json']))
    expect(comparison).toMatchObject({recipe: [{key: 'adapters.0.rank', values: [4, 16]}], runs: names})
  })
})

describe('runs watch', () => {
  test('follows a run that another program works on, in plain lines without a terminal, until it ends', async () => {
    const recipe = await writeRecipe(inWork('endless.yaml'), {
      output: inRuns('endless'),
      train: rows,
      training: {epochs: 1e6, max_steps: 1e6},
    })
    const program = path.join(repository, 'bin', 'run.js')
    const child = spawn(process.execPath, [program, 'train', recipe, '--device', 'cpu'])
    child.stdout.resume()
    await untilSaid(child, 'training ')
    const watch = spawn(process.execPath, [program, 'runs', 'watch', inRuns('endless'), '--json'])
    const watched = outputOf(watch)
    await untilSaid(watch, 'training ')
    child.kill('SIGINT')
    const result = await watched
    expect(jsonOf(result)).toMatchObject({run: inRuns('endless'), status: 'interrupted', steps: expect.any(Number)})
    expect(result.stderr).toMatch(/^training [\d,]+\/1,000,000 · 0% · loss \d/m)
    // eslint-disable-next-line no-control-regex -- control codes are what is looked for
    expect(result.stderr).not.toMatch(/\u001B/)
  })

  test('says how a run has ended that is over', async () => {
    const {code, stdout} = await runCommand(['runs', 'watch', inRuns('full')])
    expect(code).toBe(0)
    expect(stdout).toMatch(/is finished after 12 steps; last training loss \d\.\d{4}; best validation loss/)
  })
})

async function outputOf(child: ChildProcess): Promise<RunResult> {
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (piece: Buffer) => void (stdout += piece.toString()))
  child.stderr?.on('data', (piece: Buffer) => void (stderr += piece.toString()))
  const code = await new Promise<number | null>((resolve) => void child.on('close', resolve))
  return {code: code ?? -1, stderr, stdout}
}

async function untilSaid(child: ChildProcess, text: string): Promise<void> {
  let said = ''
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (piece: Buffer) => {
      said += piece.toString()
      if (said.includes(text)) resolve()
    })
    child.on('exit', () => resolve())
  })
}

describe('logging.tensorboard', () => {
  test('writes one file of records, as many as there were steps, gauges and evaluations', async () => {
    const [name, ...others] = await readdir(inRuns('full', 'tensorboard'))
    expect(others).toEqual([])
    const content = await readFile(inRuns('full', 'tensorboard', name))
    let records = 0
    for (let at = 0; at < content.length; at += 16 + Number(content.readBigUInt64LE(at))) records++
    expect(records).toBe(2 + 12 + 4 + 4)
    expect(content.includes('grad_norm/1.initial_state.conv')).toBe(true)
  })
})

describe('model cards', () => {
  test('of a merged model say what it was made from, without paths, and --no-card leaves them out', async () => {
    const base = goldenPath('mamba1')
    const merge = ['merge', inRuns('full', 'adapter'), '--base', base, '--partial', '--device', 'cpu', '--out']
    expect((await runCommand([...merge, inWork('merged')])).code).toBe(0)
    const card = await readFile(inWork('merged', 'README.md'), 'utf8')
    expect(card).toMatch(/^---\nlibrary_name: transformers\nlicense: unknown/)
    expect(card).toContain('- Data: `rows.jsonl`, validated on `validation.jsonl`')
    expect(card).toMatch(/- Validation loss: \d\.\d{4} → \d\.\d{4}/)
    expect(card).not.toContain(path.dirname(inWork('rows.jsonl')))
    expect(card).not.toContain(repository)
    expect((await runCommand([...merge, inWork('bare'), '--no-card'])).code).toBe(0)
    expect(await readdir(inWork('bare'))).not.toContain('README.md')
  })
})
