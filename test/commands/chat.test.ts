import {beforeAll, describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {loadTokenizer} from '../../src/data/tokenizer.js'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {talk} from '../cli/talk.js'
import {goldenPath, readReference} from '../support/golden.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const CHAT = ['chat', MODEL, '--device', 'cpu', '--max-new-tokens', '12']
const inWork = workDirectory()

/** A prompt and what transformers continues it with. */
let prompt: string
let expected: string

beforeAll(async () => {
  const tokenizer = await loadTokenizer(MODEL)
  const reference = await readReference(goldenPath('tiny-mamba-reference.safetensors'))
  const ids = [...reference.ints('prompt')]
  prompt = tokenizer.decode(ids)
  expected = tokenizer.decode([...reference.ints('greedy')].slice(ids.length, ids.length + 12))
})

const chat = (lines: readonly string[], args: readonly string[] = []): Promise<RunResult> =>
  runCommand([...CHAT, ...args], {input: lines.map((line) => `${line}\n`).join('')})

describe('chat without a terminal', () => {
  test('answers each line of standard input on standard output, as transformers would', async () => {
    const {code, stderr, stdout} = await chat([prompt, '', '/undo', prompt])
    expect(stderr).toContain('base answers, continuing what is typed')
    expect({code, stdout}).toEqual({code: 0, stdout: `${expected}\n${expected}\n`})
  })

  test('goes on from a saved file as if it had never stopped, and --json gives the transcript', async () => {
    const file = inWork('talk.safetensors')
    const whole = jsonOf(await chat([prompt, 'And then', '/quit', 'not read'], ['--json']))
    await chat([prompt, `/save ${file}`])
    const resumed = jsonOf(await chat(['And then'], ['--json', '--resume', file]))
    expect(resumed).toEqual(whole)
    expect(whole).toMatchObject({
      turns: [{answers: [{name: 'base', text: expected}], user: prompt}, {user: 'And then'}],
    })
  })

  test('answers twice with --compare base, each under its name', async () => {
    const adapter = await writeRandomAdapter(inWork('adapter'), {
      model: MODEL,
      settings: [lora({targets: ['out_proj']})],
    })
    const {code, stdout} = await chat([prompt], ['--adapter', adapter, '--compare', 'base'])
    expect(code).toBe(0)
    const [, own = '', base = ''] = /^.*adapter:\n(.*)base:\n(.*)$/s.exec(stdout) ?? []
    expect(base).toBe(`${expected}\n`)
    expect(own).not.toBe(base)
    expect(own.trim()).not.toBe('')
  })

  test('ends with the error when a script mistypes', async () => {
    const {code, stderr, stdout} = await chat(['/hlep', prompt])
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toContain('/hlep is not a command. Did you mean /help?')
  })

  test('says what cannot be compared', async () => {
    const {code, stderr} = await chat([], ['--compare', 'base'])
    expect(code).toBe(2)
    expect(stderr).toContain('There is nothing to compare base with.')
  })
})

describe('chat at a terminal', () => {
  test('shows the answer and what it took, completes commands, forgives mistakes, and leaves with /quit', async () => {
    const {code, seen} = await talk(CHAT, [
      ['> ', '/undo\r'],
      ['There is no turn to take back.', ''],
      ['> ', `${prompt}\r`],
      ['max_new_tokens reached', ''],
      ['> ', '/set temprature 1\r'],
      ['temprature is not a setting. Did you mean temperature?', ''],
      ['> ', '/set top_p 2\r'],
      ['top_p is 2, expected a number above 0 and up to 1.', ''],
      ['> ', '/adapter other\r'],
      ['other is not an adapter of this chat; base goes on answering.', ''],
      ['> ', '/save\r'],
      ['/save needs the name of a file.', ''],
      ['> ', '/un'],
      ['/un', '\t'],
      ['do', '\r'],
      [`Taken back: ${prompt}`, ''],
      ['> ', '/quit\r'],
    ])
    expect(code).toBe(0)
    expect(seen.replaceAll('\r', '')).toContain(expected)
    expect(seen).toMatch(/12 tokens · [\d.]+ tok\/s · \d+ read · state 311 kB/)
  })

  test('Ctrl+C stops an answer and keeps it; twice leaves', async () => {
    const {code, seen} = await talk(
      ['chat', MODEL, '--device', 'cpu', '--max-new-tokens', '100000', '--repetition-penalty', '1.2'],
      [
        ['> ', `${prompt}\r`],
        [expected.trim().slice(0, 2), '\u0003'],
        ['stopped', ''],
        ['> ', `/save ${inWork('stopped.safetensors')}\r`],
        ['Saved 1 turns', ''],
        ['> ', 'half a line'],
        ['half a line', '\u0003'],
        ['> ', '\u0003'],
        ['once more leaves', ''],
        ['> ', '\u0003'],
      ],
    )
    expect(code).toBe(130)
    expect(seen).toContain('tokens ·')
    expect(await readFile(inWork('stopped.safetensors'), 'latin1')).toContain('"end\\":\\"interrupted')
  })
})
