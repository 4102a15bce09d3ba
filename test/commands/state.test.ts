import {beforeAll, describe, expect, test} from '@jest/globals'
import {fromFloat32} from '../../src/checkpoint/dtypes.js'
import {writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {loadTokenizer} from '../../src/data/tokenizer.js'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {goldenPath, readReference} from '../support/golden.js'
import {jsonOf} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const [LAYERS, INNER, STATES, WINDOW] = [8, 512, 16, 3]

const inWork = workDirectory()
let first = ''
let second = ''
/** What transformers continues both parts of the prompt with. */
let expected: number[] = []

beforeAll(async () => {
  const tokenizer = await loadTokenizer(MODEL)
  const reference = await readReference(goldenPath('tiny-mamba-reference.safetensors'))
  const prompt = [...reference.ints('prompt')]
  expected = [...reference.ints('greedy')].slice(prompt.length, prompt.length + 8)
  first = tokenizer.decode(prompt.slice(0, -1))
  second = tokenizer.decode(prompt.slice(-1))
})

const run = (...args: string[]): Promise<RunResult> => runCommand([...args, '--device', 'cpu', '--json'])

describe('state from-prompt', () => {
  test('keeps a state from which generate goes on as if it had read the text', async () => {
    const kept = jsonOf(await run('state', 'from-prompt', MODEL, '--prompt', first, '-o', inWork('state')))
    const numbers = LAYERS * INNER * (STATES + WINDOW)
    expect(kept).toMatchObject({base: MODEL, layers: LAYERS, numbers, out: inWork('state')})
    const more = ['--prompt', second, '--max-new-tokens', '8', '--adapter', inWork('state')]
    expect(jsonOf(await run('generate', MODEL, ...more))).toMatchObject({generated_ids: expected})
    const weaker = jsonOf(await run('generate', MODEL, ...more, '--state-scale', '0'))
    expect(weaker['generated_ids']).not.toEqual(expected)
  })

  test('needs a text, and one only', async () => {
    const none = await run('state', 'from-prompt', MODEL, '-o', inWork('none'))
    expect([none.code, none.stdout]).toEqual([2, expect.stringContaining('There is no text.')])
    const both = await run('state', 'from-prompt', MODEL, '-p', 'a', '--file', 'b', '-o', inWork('none'))
    expect(both.code).toBe(2)
    const missing = await run('state', 'from-prompt', MODEL, '--file', inWork('missing'), '-o', inWork('none'))
    expect([missing.code, missing.stdout]).toEqual([4, expect.stringContaining('cannot be read')])
  })
})

describe('state from-affix', () => {
  const writeAffix = async (name: string, shape: number[]): Promise<string> => {
    const values = new Float32Array(shape.reduce((product, length) => product * length, 1)).fill(0.5)
    const bytes = async (): Promise<Uint8Array> => fromFloat32(values, 'F32')
    await writeSafetensors(inWork(name), [{bytes, dtype: 'F32', name: 'affix', shape}], {})
    return inWork(name)
  }

  test('keeps what the vectors of all layers leave', async () => {
    const affix = await writeAffix('affix.safetensors', [2, LAYERS * 2 * INNER])
    expect(jsonOf(await run('state', 'from-affix', MODEL, affix, '-o', inWork('affix')))).toMatchObject({
      kind: 'affix',
      numbers: LAYERS * INNER * (STATES + WINDOW),
      vectors: 2,
    })
  })

  test('says which shapes it takes', async () => {
    const wrong = await writeAffix('wrong.safetensors', [2, 7])
    const {code, stdout} = await run('state', 'from-affix', MODEL, wrong, '--kind', 'prompt', '-o', inWork('wrong'))
    expect([code, stdout]).toEqual([4, expect.stringContaining('expected one tensor (n, 256)')])
  })
})

test('--state-scale is refused for an adapter without a state', async () => {
  const {code, stdout} = await run('generate', MODEL, '-p', 'a', '--state-scale', '2')
  expect([code, stdout]).toEqual([2, expect.stringContaining('--adapter')])
})
