import {beforeAll, describe, expect, test} from '@jest/globals'
import {type DeviceChoice, startDevice} from '../../src/backend/devices.js'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {loadModel} from '../../src/model/load-model.js'
import {baseSites} from '../../src/model/sites.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {runCommand} from '../cli/run-command.js'
import {difference, F32, type Tolerance} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {gpuAvailable} from '../support/gpu.js'
import {goldenPath, readReference, type Reference} from '../support/golden.js'
import {goldenRows, logitsInOnePass, MAMBA2_MODELS, PEFT_MODELS} from '../support/golden-model.js'
import {jsonOf, type MetricsLine, readMetrics, writeRecipe, writeRows} from '../support/runs.js'
import {workDirectory} from '../support/work-directory.js'

const STEPS = 10
const LEARNING_RATE = 5e-3

/** Unit roundoff of f32. */
const ROUNDOFF = 2 ** -24

/**
 * Relative error of a loss or gradient that two correct f32 programs may show: a value comes out of some 400 roundings
 * (two layers, sums over 32 to 128 inputs, 40 steps of the scan), a gradient of twice as many. Independent roundings add up
 * to √800 u = 1.7e-6; this is six times that.
 */
const SUMS = 1e-5
const SCALARS: Tolerance = {absolute: 0, relative: SUMS}

/**
 * What each weight may differ by after T steps of Adam, from the gradients g of the first step.
 *
 * A step is η m̂/√v̂: it forgets the size of the gradient, so an error δ = SUMS · max|g| counts as much as δ is of that very
 * element. m̂ and √v̂ are means over the steps so far, so each is off by δ at most; v̂ of t steps is at least about g²/t, and
 * |m̂| at most 1.05 √v̂. A step is thus off by η (1 + 1.05) δ √t / |g|, and all by 2.05 η δ/|g| · Σ√t. Where g is as small as δ
 * its very sign is unsure, and the bound is that of two opposite directions. Storing the weight rounds it once a step.
 */
function weightTolerance(gradient: Float32Array): (index: number, value: number) => number {
  const error = SUMS * gradient.reduce((largest, g) => Math.max(largest, Math.abs(g)), 0)
  const rootSum = Array.from({length: STEPS}, (_, step) => Math.sqrt(step + 1)).reduce((sum, root) => sum + root)
  return (index, value) => {
    const unsure = (2.05 * error * rootSum) / Math.abs(gradient[index])
    return LEARNING_RATE * Math.min(2 * 1.05 * STEPS, unsure) + STEPS * ROUNDOFF * Math.abs(value)
  }
}

/** Our name of an adapter tensor → the name in PEFT's memory. */
function peftName(name: string): string {
  return `base_model.model.backbone.${name.replace(/^adapters\.0\./, '')}.default.weight`
}

type Paths = Readonly<Record<'adapter' | 'base' | 'out', string>>

async function mergeByCommand(device: DeviceChoice, {adapter, base, out}: Paths): Promise<unknown> {
  return jsonOf(await runCommand(['merge', adapter, '--base', base, '--out', out, '--device', device, '--json']))
}

async function merge(choice: DeviceChoice, paths: Paths): Promise<unknown> {
  const device = await startDevice(choice, {precision: 'f32'})
  try {
    return await mergeAdapter({...paths, anyBase: false, batches: probeBatches, dtype: 'f32', partial: false})
  } finally {
    device.close()
  }
}

const DEVICES = ['cpu', ...(gpuAvailable ? (['gpu'] as const) : [])] as const

const DEVICES_WITH_MODELS = DEVICES.flatMap((device) =>
  [...PEFT_MODELS, ...MAMBA2_MODELS].map((name) => [device, name] as const),
)

/** The rest goes through the library: starting a program takes longer than ten steps. */
const BY_COMMANDS = 'lora'

/** What the references adapt: transformers' Mamba-2 has no x_proj. */
const targetsOf = (name: string): string[] => (name.startsWith('mamba2') ? ['in_proj'] : ['in_proj', 'x_proj'])

describe.each(
  DEVICES_WITH_MODELS.flatMap(([device, name]) =>
    ['lora', 'rslora', 'dora'].map((kind) => [device, name, kind] as const),
  ),
)('on device %s, ten steps on %s with %s equal PEFT', (device, name, kind) => {
  const inWork = workDirectory()
  let reference: Reference
  let trace: Reference
  let steps: readonly MetricsLine[]
  let trained: Reference

  beforeAll(async () => {
    reference = await readReference(goldenPath(name, 'reference.safetensors'))
    trace = await readReference(goldenPath(name, kind, 'reference.safetensors'))
    const rows = goldenRows(reference)
    const recipe = await writeRecipe(inWork('recipe.yaml'), {
      adapters: [
        {method: 'lora', targets: targetsOf(name), rank: 4, alpha: 8, rslora: kind === 'rslora', dora: kind === 'dora'},
      ],
      data: {shuffle: false},
      model: goldenPath(name),
      more: {init_adapter: goldenPath(name, kind)},
      output: inWork('run'),
      train: await writeRows(inWork('rows.jsonl'), rows),
      training: {
        batch_size: rows.length,
        clip_norm: 0.5,
        epochs: STEPS,
        max_steps: STEPS,
        optimizer: {betas: [0.9, 0.999], epsilon: 1e-8, learning_rate: LEARNING_RATE, weight_decay: 0.01},
        schedule: {name: 'constant', warmup: 0},
      },
    })
    if (kind === BY_COMMANDS) {
      jsonOf(await runCommand(['train', recipe, '--device', device, '--set', 'model.dtype=f32', '--json']))
    } else {
      await runRecipe({device, report: () => {}, ...(await loadRecipe(recipe, ['model.dtype=f32']))})
    }
    ;({steps} = await readMetrics(inWork('run')))
    trained = await readReference(inWork('run', 'adapter', 'adapter.safetensors'))
  })

  test('in every loss', () => {
    const losses = steps.map(({loss}) => Number(loss))
    expect(losses).toHaveLength(STEPS)
    expect(difference(losses, trace.floats('trace.loss'), SCALARS)).toBeNull()
  })

  test('in every gradient norm before clipping', () => {
    const norms = steps.map(({grad_norm: norm}) => Number(norm))
    expect(difference(norms, trace.floats('trace.grad_norm'), SCALARS)).toBeNull()
  })

  test('in every final adapter weight', () => {
    const expected = trace.names.filter((tensor) => tensor.startsWith('trace.final.'))
    expect(trained.names.map((tensor) => `trace.final.${peftName(tensor)}`).sort()).toEqual([...expected].sort())
    const wrong = trained.names.flatMap((tensor) => {
      const tolerance = weightTolerance(trace.floats(`grad.${peftName(tensor)}`))
      const final = trace.floats(`trace.final.${peftName(tensor)}`)
      expect(trained.shape(tensor)).toEqual(trace.shape(`trace.final.${peftName(tensor)}`))
      return Array.from(trained.floats(tensor)).flatMap((value, index) =>
        Math.abs(value - final[index]) <= tolerance(index, final[index])
          ? []
          : [`${tensor}[${index}] is ${value}, expected ${final[index]}`],
      )
    })
    expect(wrong).toEqual([])
  })

  test('in the logits of the merged checkpoint', async () => {
    const paths = {adapter: inWork('run', 'adapter'), base: goldenPath(name), out: inWork('merged')}
    const report = await (kind === BY_COMMANDS ? mergeByCommand(device, paths) : merge(device, paths))
    expect(report).toMatchObject({changed_tensors: 2 * targetsOf(name).length, passed: true})
    await useBackend('wasm')
    const model = await loadModel(await openModelDirectory(inWork('merged')))
    const sites = baseSites(model.weights)
    const logits = await Promise.all(goldenRows(reference).map(({ids}) => logitsInOnePass(model, sites, ids)))
    model.weights.dispose()
    const all = logits.flatMap((row) => [...row])
    expect(difference(all, trace.floats('trace.merged_logits'), F32)).toBeNull()
  })
})
