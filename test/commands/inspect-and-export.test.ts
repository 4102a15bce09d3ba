import {beforeAll, describe, expect, test} from '@jest/globals'
import {readdir} from 'node:fs/promises'
import {runCommand} from '../cli/run-command.js'
import {goldenPath} from '../support/golden.js'
import {lora, STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = goldenPath('mamba1')
const inWork = workDirectory()
let adapter = ''

beforeAll(async () => {
  adapter = await writeRandomAdapter(inWork('adapter'), {
    settings: [lora({targets: ['in_proj.x', 'x_proj']}), lora({targets: ['out_proj']}), STATE],
  })
})

describe('inspect', () => {
  test('prints a model as a list of facts and a table of sites', async () => {
    const {code, stdout} = await runCommand(['inspect', MODEL])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^sizes {9}d 32 · E 64 · N 8 · R 4 · K 4 · V 96 · 2 layers$/m)
    expect(stdout).toMatch(/^fingerprint {3}sha256:[\da-f]{64}$/m)
    expect(stdout).toMatch(/^SITE +SHAPE +PER LAYER +IN 2 LAYERS +SLICES$/m)
    expect(stdout).toMatch(/^in_proj +128 × 32 +4,096 +8,192 +in_proj\.x \[0, 64\) {2}in_proj\.z \[64, 128\)$/m)
  })

  test('prints an adapter with what can become of it', async () => {
    const {code, stdout} = await runCommand(['inspect', adapter])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^trainable {2}[\d,]+, [\d.]+ % of [\d,]+$/m)
    expect(stdout).toMatch(/^merge {6}exact but for adapters\.2 \(initial-state\)$/m)
    expect(stdout).toMatch(/^ {11}adapters\.1 \(lora\): out_proj\. PEFT refuses/m)
    expect(stdout).toMatch(
      /^initial-state +4 +[\d,]+ {2}scan true · conv true$|^initial-state +4 +[\d,]+ {2}conv true · scan true$/m,
    )
  })

  test('prints one object with --json', async () => {
    const result = await runCommand(['inspect', adapter, '--json'])
    expect(jsonOf(result)).toMatchObject({kind: 'adapter', merge: {exact: false}, peft: {complete: false}})
    expect(jsonOf(await runCommand(['inspect', MODEL, '--json']))).toMatchObject({kind: 'model'})
  })

  test('leaves with 4 for a directory that is none of the three', async () => {
    const result = await runCommand(['inspect', 'src', '--json'])
    expect(jsonOf(result, 4)).toMatchObject({error: {code: 'E_FILE', hint: expect.stringContaining('adapter.json')}})
  })
})

describe('export', () => {
  test('leaves with 8 for parts that PEFT cannot hold, names them and writes nothing', async () => {
    const {code, stderr, stdout} = await runCommand(['export', adapter, '--format', 'peft', '--out', inWork('refused')])
    expect({code, stdout}).toEqual({code: 8, stdout: ''})
    expect(stderr).toContain('adapters.1 (lora): out_proj')
    expect(stderr).toContain('--partial')
    expect(await readdir(inWork())).not.toContain('refused')
  })

  test('writes the rest with --partial, as inspect can read it', async () => {
    const out = inWork('peft')
    const {code, stdout} = await runCommand(['export', adapter, '--format', 'peft', '--out', out, '--partial'])
    expect(code).toBe(0)
    expect(stdout).toContain(`Wrote 8 tensors to ${out}: README.md, adapter_config.json, adapter_model.safetensors.`)
    expect(stdout).toContain('Left out: adapters.2 (initial-state): scan, conv.')
    const inspected = jsonOf(await runCommand(['inspect', out, '--json']))
    expect(inspected).toMatchObject({base: {path: MODEL, problem: null}, format: 'peft', peft: {complete: true}})
  })

  test('reports what it wrote as one object with --json', async () => {
    const args = ['export', adapter, '--format', 'safetensors', '--out', inWork('file'), '--json']
    expect(jsonOf(await runCommand(args))).toEqual({
      files: ['README.md', 'adapter.safetensors'],
      format: 'safetensors',
      left_out: [],
      out: inWork('file'),
      tensors: 2 * 2 * 3 + 2 * 2,
    })
  })

  test('asks for a format and a directory', async () => {
    const {code, stderr} = await runCommand(['export', adapter])
    expect(code).toBe(2)
    expect(stderr).toMatch(/format/)
    expect(stderr).toMatch(/out/)
  })
})
