import {beforeAll, describe, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import {runCommand} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
let [a, b] = ['', '']

beforeAll(async () => {
  a = await writeRandomAdapter(inWork('a'), {settings: [lora({targets: ['in_proj', 'out_proj']})]})
  b = await writeRandomAdapter(inWork('b'), {settings: [lora({rank: 2, targets: ['in_proj.x']})]})
})

describe('adapter info', () => {
  test('prints facts, norms and shaded blocks, and writes the picture', async () => {
    const args = ['adapter', 'info', a, '--model', goldenPath('mamba1'), '--picture', inWork('norms.svg')]
    const {code, stdout} = await runCommand(args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^PART +SITES +RANK +‖ΔW‖ +LARGEST +OF ‖W‖, MEAN$/m)
    expect(stdout).toMatch(/^in_proj\.z +2 +3 +[\d.]+ +[\d.]+ in [01] +[\d.]+ %$/m)
    expect(stdout).toMatch(/^LAYER +in_proj\.x +in_proj\.z +out_proj$/m)
    expect(stdout).toMatch(/^ +1( +[\d.]+){3}$/m)
    expect(stdout).toMatch(/^out_proj +[·░▒▓█]{2}$/m)
    expect(await readFile(inWork('norms.svg'), 'utf8')).toMatch(/^<svg /)
  })

  test('prints one object with --json', async () => {
    const info = jsonOf(await runCommand(['adapter', 'info', a, '--json']))
    expect(info).toMatchObject({format: 'mambatune', model: 'sizes', trainable_parameters: 2 * 3 * (160 + 96)})
    expect(info['parts']).toHaveLength(6)
  })

  test('leaves with 8 for a model that it does not belong to', async () => {
    const {code, stderr} = await runCommand(['adapter', 'info', a, '--model', goldenPath('mamba1-untied-bias')])
    expect([code, stderr]).toEqual([8, expect.stringContaining('trained on another model')])
  })
})

test('adapter diff prints settings and parts', async () => {
  const {code, stdout} = await runCommand(['adapter', 'diff', a, b])
  expect(code).toBe(0)
  expect(stdout).toMatch(/adapters\.0\.rank: 3 in A, 2 in B$/m)
  expect(stdout).toMatch(/^ +0 {2}in_proj\.x +[\d.]+ +[\d.]+ +[\d.]+ +-?0\.\d{4}$/m)
  expect(stdout).toMatch(/^ +0 {2}out_proj +[\d.]+ +[\d.]+$/m)
})

describe('adapter combine', () => {
  test('writes the sum and says what was cut', async () => {
    const {code, stdout} = await runCommand([
      'adapter',
      'combine',
      `${a}=0.7`,
      `${b}=-.3`,
      '-o',
      inWork('sum'),
      '--rank',
      '1',
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(/what is missing is [\d.]+ % of ‖ΔW‖/)
    const inspected = jsonOf(await runCommand(['inspect', inWork('sum'), '--json']))
    expect(inspected).toMatchObject({merge: {exact: true}, methods: [{method: 'lora', settings: {rank: 1}}]})
  })

  test.each([['x'], ['x='], ['=1'], ['x=1e'], ['x=1,5']])('leaves with 2 for %s', async (argument) => {
    const {code, stderr} = await runCommand(['adapter', 'combine', argument, '-o', inWork('no')])
    expect([code, stderr]).toEqual([2, expect.stringContaining('is no adapter with a weight')])
    expect(await readdir(inWork())).not.toContain('no')
  })
})
