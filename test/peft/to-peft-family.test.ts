import {describe, expect, test} from '@jest/globals'
import {readPeftFiles} from '../../src/checkpoint/adapter-directory.js'
import {exportAdapter, type ExportReport} from '../../src/peft/export-adapter.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const directory = workDirectory()
let count = 0

/** Writes an adapter of ours and exports what PEFT holds of it. */
async function exported(settings: readonly AdapterSettings[]): Promise<{out: string; report: ExportReport}> {
  const name = `${++count}`
  const adapter = await writeRandomAdapter(directory(name), {settings})
  const out = directory(`${name}-peft`)
  return {out, report: await exportAdapter({adapter, format: 'peft', out, partial: true})}
}

describe('the family of LoRA exported for PEFT', () => {
  test('has as many ranks more as are subtracted, at the same scale', async () => {
    const {out} = await exported([lora({alpha: 6, init: 'pissa', rank: 3, targets: ['in_proj']})])
    expect((await readPeftFiles(out)).config).toMatchObject({init_lora_weights: true, lora_alpha: 12, r: 6})
  })

  test.each([
    [
      'on slices',
      [lora({dora: true, targets: ['in_proj.x']}), lora({targets: ['x_proj']})],
      'adapters.0 (lora): in_proj',
    ],
    [
      'beside other updates',
      [lora({targets: ['x_proj']}), lora({dora: true, targets: ['in_proj']})],
      'adapters.1 (lora): in_proj',
    ],
  ])('leaves DoRA %s out, and only that', async (_, settings, part) => {
    const left = [{part, reason: expect.stringContaining('DoRA')}]
    const {out, report} = await exported(settings)
    expect(report.left_out).toEqual(left)
    expect((await readPeftFiles(out)).config).toMatchObject({target_modules: ['x_proj'], use_dora: false})
  })
})
