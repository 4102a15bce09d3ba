/** `mambatune data …` and training on what it shows, as a user types it. */
import {describe, expect, test} from '@jest/globals'
import {readFile, writeFile} from 'node:fs/promises'
import {stripVTControlCharacters} from 'node:util'
import {runCommand} from '../cli/run-command.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = ['--model', 'models/tiny-mamba']
const CHAT = 'test/fixtures/data/chat.jsonl'
const inWork = workDirectory()

describe('data inspect', () => {
  test('says how the files are read and why, and what each length cuts', async () => {
    const {code, stdout} = await runCommand(['data', 'inspect', 'data/definitions.train.jsonl', ...MODEL])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^container +jsonl: its name ends in \.jsonl$/m)
    expect(stdout).toMatch(/^rows +8,000$/m)
    expect(stdout).toMatch(/^ *17 – 32 +4,131 +51\.6 % +█+$/m)
    expect(stdout).toMatch(/^ *128 +0 +0\.0 % +0\.0 %$/m)
  })

  test('counts duplicates and the trained share, and lists faulty rows without giving up', async () => {
    const file = inWork('rows.jsonl')
    const row = '{"prompt": "a", "completion": "b"}\n'
    await writeFile(file, `${row}${row}{"prompt": "c"}\n${row.replace('b', 'long '.repeat(300))}`)
    const inspection = jsonOf(await runCommand(['data', 'inspect', file, ...MODEL, '--json']))
    expect(inspection).toMatchObject({
      duplicates: 1,
      faults: [{message: 'completion is missing; the row has the key prompt', where: `${file}:3`}],
      faulty_rows: 1,
      format: 'prompt_completion',
      rows: 3,
      unit: 'tokens',
    })
    const {truncation} = inspection as unknown as {truncation: {max_length: number; rows: number}[]}
    expect(truncation.find(({max_length: length}) => length === 256)?.rows).toBe(1)
    const bare = await runCommand(['data', 'inspect', file])
    expect(bare.stdout).toMatch(/^characters +\d/m)
    await writeFile(file, '{"nothing": 1}\n')
    expect((await runCommand(['data', 'inspect', file])).code).toBe(3)
  })
})

describe('data preview', () => {
  test('can be read without colours, and has them where they are wanted', async () => {
    const args = ['data', 'preview', CHAT, ...MODEL, '--rows', '1', '--loss-on', 'last']
    const bare = await runCommand(args)
    expect(bare.stdout).not.toContain('\u001B')
    expect(bare.stdout).toContain('A│ss│ist│ant│:⟦ W│h│ite│.│<|endoftext|>■⟧\n')
    const coloured = await runCommand(args, {env: {FORCE_COLOR: '1'}})
    expect(coloured.stdout).toContain('\u001B[33m<|endoftext|>\u001B[39m')
    expect(stripVTControlCharacters(coloured.stdout)).toBe(bare.stdout)
  })

  test('in JSON has ids, text and what is trained of each token', async () => {
    const preview = jsonOf(await runCommand(['data', 'preview', CHAT, ...MODEL, '--rows', '1', '--json']))
    const {rows} = preview as unknown as {
      rows: {length: number; supervised: number; tokens: {ids: number[]; trained: boolean}[]}[]
    }
    expect(rows).toHaveLength(1)
    const counted = rows[0].tokens.filter(({trained}) => trained).flatMap(({ids}) => ids)
    expect(counted).toHaveLength(rows[0].supervised)
    expect(rows[0].tokens.flatMap(({ids}) => ids)).toHaveLength(rows[0].length)
  })

  test('flags that mean nothing are told with what would', async () => {
    const error = jsonOf(await runCommand(['data', 'preview', CHAT, ...MODEL, '--loss-on', 'answers', '--json']), 2)
    expect(JSON.stringify(error)).toContain('role:NAME,NAME')
  })
})

test('a run trains on conversations, and goes on with the same rows', async () => {
  const out = inWork('run')
  const changes = [
    `data.train=${CHAT}`,
    'data.validation=null',
    'data.template=chatml',
    'data.overflow=split',
    'train.batch_size=1',
    'train.max_steps=1',
    'logging.report=false',
    'checkpoints.every=1',
  ]
  const sets = changes.flatMap((change) => ['--set', change])
  const trained = await runCommand(['train', 'quickstart', ...sets, '--out', out, '--device', 'cpu'])
  expect(trained.stderr).toContain('Turns are written by template chatml: data.template is chatml.')
  expect(trained.code).toBe(0)
  expect(await readFile(`${out}/recipe.resolved.yaml`, 'utf8')).toContain('template: chatml')
  const more = await runCommand(['resume', out, '--set', 'data.template=plain', '--device', 'cpu'])
  expect(more.code).toBe(8)
  expect(more.stderr).toMatch(/data\.template +"chatml" in the run, "plain" now/)
})
