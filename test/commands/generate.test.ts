import {beforeAll, describe, expect, test} from '@jest/globals'
import {spawn} from 'node:child_process'
import path from 'node:path'
import {loadTokenizer, type Tokenizer} from '../../src/data/tokenizer.js'
import {repository, runCommand} from '../cli/run-command.js'
import {goldenPath, readReference} from '../support/golden.js'
import {jsonOf} from '../support/runs.js'

const MODEL = 'models/tiny-mamba'

let tokenizer: Tokenizer
let prompt: string
let promptIds: number[]
/** What transformers continues the prompt with. */
let expected: number[]

beforeAll(async () => {
  tokenizer = await loadTokenizer(MODEL)
  const reference = await readReference(goldenPath('tiny-mamba-reference.safetensors'))
  promptIds = [...reference.ints('prompt')]
  expected = [...reference.ints('greedy')].slice(promptIds.length)
  prompt = tokenizer.decode(promptIds)
})

const generate = async (args: readonly string[], input = ''): Promise<Record<string, unknown>> =>
  jsonOf(await runCommand(['generate', MODEL, '--device', 'cpu', '--json', ...args], {input}))

describe('generate', () => {
  test('--json prints text and ids, and the greedy ones are those of transformers', async () => {
    const result = await generate(['--prompt', prompt, '--max-new-tokens', '48'])
    expect(result).toEqual({generated_ids: expected, prompt_ids: promptIds, text: tokenizer.decode(expected)})
  })

  test('reads the prompt from standard input with -', async () => {
    const result = await generate(['-', '--max-new-tokens', '5'], prompt)
    expect(result).toMatchObject({generated_ids: expected.slice(0, 5), prompt_ids: promptIds})
  })

  test('ends before a stop text, which may span tokens', async () => {
    const whole = tokenizer.decode(expected)
    const stop = whole.slice(12, 18)
    const result = await generate(['--prompt', prompt, '--max-new-tokens', '48', '--stop', stop])
    expect(result['text']).toBe(whole.slice(0, whole.indexOf(stop)))
  })

  test('samples the same text for the same seed, and another for another', async () => {
    const sample = async (seed: string): Promise<unknown> =>
      (
        await generate([
          '--prompt',
          prompt,
          '--max-new-tokens',
          '16',
          '--temperature',
          '1',
          '--top-p',
          '0.9',
          '--seed',
          seed,
        ])
      )['text']
    const [first, again, other] = [await sample('1'), await sample('1'), await sample('2')]
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  test('without --json prints the same text', async () => {
    const args = ['generate', MODEL, '--device', 'cpu', '--prompt', prompt, '--max-new-tokens', '48']
    const {code, stderr, stdout} = await runCommand(args)
    expect({code, stdout}).toEqual({code: 0, stdout: `${tokenizer.decode(expected)}\n`})
    expect(stderr).toContain(`Loading ${MODEL}`)
  })

  test('without --json streams the text while it is made', async () => {
    // More than is ever made while this looks, so that what comes is not the whole.
    const args = ['generate', MODEL, '--device', 'cpu', '--prompt', prompt, '--max-new-tokens', '1000000']
    const child = spawn(process.execPath, [path.join(repository, 'bin', 'run.js'), ...args], {
      cwd: repository,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    })
    const text = tokenizer.decode(expected)
    let printed = ''
    try {
      for await (const piece of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
        printed += piece
        if (printed.length >= text.length) break
      }
      expect(printed.slice(0, text.length)).toBe(text)
      expect(child.exitCode).toBeNull()
    } finally {
      child.kill('SIGKILL')
    }
  })
})
