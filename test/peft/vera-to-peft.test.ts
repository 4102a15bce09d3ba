import {describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {readPeftFiles} from '../../src/checkpoint/adapter-directory.js'
import {exportAdapter, type ExportReport} from '../../src/peft/export-adapter.js'
import {mergeSteps} from '../../src/peft/merge.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {adaptableSites} from '../../src/peft/sites-of.js'
import {goldenPath} from '../support/golden.js'
import {configIn, lora, vera, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const directory = workDirectory()
let count = 0

async function exported(
  model: string,
  settings: readonly AdapterSettings[],
  partial = false,
): Promise<{readonly adapter: string; readonly out: string; readonly report: ExportReport}> {
  const name = `${++count}`
  const adapter = await writeRandomAdapter(directory(name), {model: goldenPath(model), settings})
  const out = directory(`${name}-peft`)
  return {adapter, out, report: await exportAdapter({adapter, format: 'peft', out, partial})}
}

/** ΔW as PEFT computes it: diag(λ_b) B diag(λ_d) A, of the first rows and columns of what all modules share. */
function updateInPeft(tensors: ReadonlyMap<string, ParameterValues>, module: string, inputs: number): Float64Array {
  const named = (name: string): ParameterValues => tensors.get(`base_model.${name}`) as ParameterValues
  const [rows, terms] = (['b', 'd'] as const).map(
    (kind) => named(`model.backbone.${module}.vera_lambda_${kind}`).values,
  )
  const [a, b] = [named('vera_A'), named('vera_B')]
  const [rank, columns] = a.shape
  return Float64Array.from({length: rows.length * inputs}, (_, at) => {
    const [row, column] = [Math.trunc(at / inputs), at % inputs]
    let sum = 0
    for (let k = 0; k < rank; k++) sum += b.values[row * rank + k] * terms[k] * a.values[k * columns + column]
    return rows[row] * sum
  })
}

describe('VeRA exported for PEFT', () => {
  test.each([
    ['mamba1', ['in_proj', 'x_proj', 'out_proj']],
    ['mamba1', ['x_proj', 'layers.1.mixer.out_proj']],
    ['mamba2', ['in_proj', 'out_proj']],
  ])('of %s on %j adds to every weight what our merge adds', async (model, targets) => {
    const {adapter, out, report} = await exported(model, [vera({rank: 6, targets})])
    expect(report.left_out).toEqual([])
    const config = await configIn(goldenPath(model))
    const {tensors} = await readPeftFiles(out)
    const steps = mergeSteps(await readAdapter(adapter), config)
    expect(steps.size).toBeGreaterThan(2)
    for (const {inputs, name, to} of adaptableSites(config)) {
      const step = steps.get(`backbone.${name}.weight`)
      if (!step || name.endsWith('conv1d')) continue
      const merged = new Float32Array(to * inputs)
      step(merged, new Float32Array(to * inputs))
      const update = updateInPeft(tensors, name, inputs)
      const largest = Math.max(...merged.map(Math.abs))
      expect(largest).toBeGreaterThan(0)
      expect(update).toHaveLength(merged.length)
      expect(Math.max(...update.map((value, at) => Math.abs(value - merged[at]))) / largest).toBeLessThan(1e-6)
    }
  })

  test('shares matrices as large as what is written needs, under a configuration of its own', async () => {
    const settings = [vera({dropout: 0.1, first_scale: 0.2, rank: 5, seed: 7, targets: ['in_proj', 'dt_proj']})]
    const {out, report} = await exported('mamba1', settings, true)
    expect(report.left_out).toEqual([
      {part: 'adapters.0 (vera): dt_proj', reason: expect.stringContaining('never acts')},
    ])
    expect(JSON.parse(await readFile(`${out}/adapter_config.json`, 'utf8'))).toEqual({
      auto_mapping: null,
      base_model_name_or_path: goldenPath('mamba1'),
      bias: 'none',
      d_initial: 0.2,
      fan_in_fan_out: false,
      inference_mode: true,
      init_weights: true,
      layers_pattern: null,
      layers_to_transform: null,
      modules_to_save: null,
      peft_type: 'VERA',
      projection_prng_key: 7,
      r: 5,
      revision: null,
      save_projection: true,
      target_modules: ['in_proj'],
      task_type: 'CAUSAL_LM',
      vera_dropout: 0.1,
    })
    const config = await configIn(goldenPath('mamba1'))
    const {tensors} = await readPeftFiles(out)
    expect(tensors.get('base_model.vera_A')?.shape).toEqual([5, config.hidden])
    expect(tensors.get('base_model.vera_B')?.shape).toEqual([2 * config.inner, 5])
  })

  test('beside LoRA, of slices and of the convolution is refused, each with its reason', async () => {
    await expect(exported('mamba1', [lora({targets: ['in_proj']}), vera({targets: ['x_proj']})])).rejects.toMatchObject(
      {
        faults: [{message: expect.stringContaining('a file of its own'), where: 'adapters.1 (vera)'}],
      },
    )
    await expect(exported('mamba1', [vera({targets: ['in_proj.x', 'conv1d']})])).rejects.toMatchObject({
      faults: [
        {message: expect.stringContaining('linear layers alone'), where: 'adapters.0 (vera): conv1d'},
        {message: expect.stringContaining('for a slice'), where: 'adapters.0 (vera): in_proj.x'},
      ],
    })
  })
})
