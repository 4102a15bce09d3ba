import {beforeAll, describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {runCommand, type RunResult} from '../cli/run-command.js'
import {difference, type Tolerance} from '../support/close.js'
import {goldenPath, readReference} from '../support/golden.js'
import {goldenRows} from '../support/golden-model.js'
import {jsonOf, readMetrics, writeRecipe, writeRows} from '../support/runs.js'
import {unevenRows} from '../support/uneven-rows.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = goldenPath('mamba1')
const CPU = ['--device', 'cpu', '--json']
const OPTIONS = ['--format', 'tokens', ...CPU]

/** A loss that two batchings round differently. */
const ROUNDED: Tolerance = {absolute: 0, relative: 1e-6}

const inWork = workDirectory()
let trained: RunResult
let train: Record<string, unknown>

beforeAll(async () => {
  const recipe = await writeRecipe(inWork('recipe.yaml'), {
    data: {validation: await writeRows(inWork('validation.jsonl'), unevenRows([30, 12, 7, 25, 9]))},
    more: {eval: {every: 2, at_start: true}},
    output: inWork('run'),
    train: await writeRows(inWork('rows.jsonl'), unevenRows([24, 31, 9, 17])),
    training: {batch_size: 2, epochs: 2, max_steps: 3},
  })
  trained = await runCommand(['train', recipe, ...CPU])
  train = jsonOf(trained)
})

const evaluation = async (...args: string[]): Promise<Record<string, unknown>> =>
  jsonOf(await runCommand(['eval', MODEL, '--data', inWork('validation.jsonl'), ...OPTIONS, ...args]))

describe('train --json', () => {
  test('prints one object with where the results are, how many numbers were trained and the losses', () => {
    expect(train).toEqual({
      adapter: inWork('run', 'adapter'),
      base_parameters: expect.any(Number),
      best: null,
      device: 'cpu',
      elapsed_s: expect.any(Number),
      loss: expect.any(Number),
      out: inWork('run'),
      report: null,
      steps: 3,
      trainable_parameters: 2 * 4 * (128 + 32 + 20 + 64),
      validation_after: {loss: expect.any(Number), perplexity: expect.any(Number)},
      validation_before: {loss: expect.any(Number), perplexity: expect.any(Number)},
    })
  })

  test('keeps progress on stderr, in whole lines without control codes', () => {
    expect(trained.stderr).toContain('gradients reach all 8 adapter tensors')
    expect(trained.stderr).toMatch(/^training 1\/3/m)
    expect(trained.stderr).toMatch(/^step 0: validation loss \d/m)
    expect(trained.stderr.endsWith('\n')).toBe(true)
    // eslint-disable-next-line no-control-regex -- control codes are what is looked for
    expect(trained.stderr).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/)
  })

  test('writes a line of metrics for every step and every evaluation', async () => {
    const {evaluations, steps} = await readMetrics(inWork('run'))
    const number = expect.any(Number)
    expect(steps).toEqual(
      [1, 2, 3].map((step) => ({
        elapsed_s: number,
        epoch: step / 2,
        event: 'step',
        grad_norm: number,
        learning_rate: number,
        loss: number,
        step,
        supervised_tokens: number,
        tokens: number,
        tokens_per_second: number,
      })),
    )
    expect(evaluations.map(({event, step}) => [event, step])).toEqual([0, 2, 3].map((step) => ['eval', step]))
    expect(evaluations.at(-1)).toMatchObject(train['validation_after'] as object)
    expect(steps.at(-1)).toMatchObject({loss: train['loss']})
    expect(steps.slice(0, 2).reduce((sum, {tokens}) => sum + Number(tokens), 0)).toBe(24 + 31 + 9 + 17)
  })
})

describe('eval --json', () => {
  test('prints loss, perplexity and tokens, and the loss is that of transformers', async () => {
    const reference = await readReference(goldenPath('mamba1', 'reference.safetensors'))
    const rows = goldenRows(reference)
    const file = await writeRows(inWork('golden.jsonl'), rows)
    const result = jsonOf(await runCommand(['eval', MODEL, '--data', file, ...OPTIONS]))
    const [loss] = reference.floats('loss')
    expect(result).toEqual({
      loss: expect.closeTo(loss, 5),
      perplexity: Math.exp(Number(result['loss'])),
      supervised_tokens: rows.flatMap(({labels}) => [...labels.subarray(1)]).filter((label) => label !== -100).length,
      tokens: rows.reduce((sum, {ids}) => sum + ids.length, 0),
    })
  })

  test('with the adapter equals the validation at the end of training, to the last digit', async () => {
    const {loss, perplexity} = await evaluation('--adapter', inWork('run', 'adapter'), '--batch-size', '2')
    expect({loss, perplexity}).toEqual(train['validation_after'])
  })

  test('without the adapter equals the validation before training', async () => {
    const {loss, perplexity} = await evaluation('--batch-size', '2')
    expect({loss, perplexity}).toEqual(train['validation_before'])
  })

  test('does not depend on the batch size', async () => {
    const [one, five] = [await evaluation('--batch-size', '1'), await evaluation('--batch-size', '5')]
    expect(difference([Number(five['loss'])], [Number(one['loss'])], ROUNDED)).toBeNull()
    expect(five['tokens']).toBe(30 + 12 + 7 + 25 + 9)
  })

  test('reads several files as one', async () => {
    const once = await evaluation()
    const twice = await evaluation('--data', inWork('validation.jsonl'))
    expect(difference([Number(twice['loss'])], [Number(once['loss'])], ROUNDED)).toBeNull()
    expect(twice['supervised_tokens']).toBe(2 * Number(once['supervised_tokens']))
  })
})

describe('merge --json', () => {
  test('prints the certificate that it stores, and the merged model has the loss of the adapter', async () => {
    const adapter = inWork('run', 'adapter')
    const report = jsonOf(await runCommand(['merge', adapter, '--base', MODEL, '--out', inWork('merged'), ...CPU]))
    const fingerprint = expect.stringMatching(/^sha256:[\da-f]{64}$/)
    const number = expect.any(Number)
    expect(report).toEqual({
      adapter,
      adapter_effect: number,
      base: MODEL,
      base_fingerprint: fingerprint,
      batches: number,
      caveats: [],
      changed_tensors: 4,
      left_as_adapter: [],
      logits_difference: number,
      loss_attached: number,
      loss_difference: number,
      loss_merged: number,
      merged_fingerprint: fingerprint,
      number_format: 'F32',
      out: inWork('merged'),
      passed: true,
      same_top_token: 1,
      tokens: number,
      tolerance: number,
    })
    expect(report['merged_fingerprint']).not.toBe(report['base_fingerprint'])
    expect(JSON.parse(await readFile(inWork('merged', 'merge.json'), 'utf8'))).toEqual(report)
    const merged = jsonOf(
      await runCommand([
        'eval',
        inWork('merged'),
        '--data',
        inWork('validation.jsonl'),
        '--batch-size',
        '2',
        ...OPTIONS,
      ]),
    )
    const {loss} = train['validation_after'] as {loss: number}
    expect(difference([Number(merged['loss'])], [loss], {absolute: 0, relative: 1e-5})).toBeNull()
  })
})
