import {describe, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import {readSafetensorsHeader, readTensorFloat32} from '../../src/checkpoint/safetensors.js'
import {exportAdapter} from '../../src/peft/export-adapter.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {goldenPath} from '../support/golden.js'
import {configIn, lora, STATE, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const BASE = goldenPath('mamba1')
const directory = workDirectory()

async function tensorsIn(file: string): Promise<Record<string, ParameterValues>> {
  const {entries} = await readSafetensorsHeader(file)
  const tensors: Record<string, ParameterValues> = {}
  for (const [name, entry] of entries) tensors[name] = {shape: entry.shape, values: await readTensorFloat32(entry)}
  return tensors
}

describe('--format safetensors', () => {
  test('holds every tensor of every method, the settings, and a list of names and shapes', async () => {
    const settings = [lora({targets: ['out_proj', 'conv1d']}), STATE]
    const adapter = await writeRandomAdapter(directory('all'), {settings})
    const out = directory('all-safetensors')
    const report = await exportAdapter({adapter, format: 'safetensors', out})
    const {base, values} = await readAdapter(adapter)
    expect(report).toMatchObject({left_out: [], tensors: values.size})
    expect((await readdir(out)).sort()).toEqual(['README.md', 'adapter.safetensors'])
    expect(await tensorsIn(`${out}/adapter.safetensors`)).toEqual(Object.fromEntries(values))
    const {metadata} = await readSafetensorsHeader(`${out}/adapter.safetensors`)
    expect(JSON.parse(metadata.mambatune_adapters)).toEqual(settings)
    expect(JSON.parse(metadata.mambatune_base)).toEqual(base)
    const readme = await readFile(`${out}/README.md`, 'utf8')
    for (const [name, {shape}] of values) expect(readme).toContain(`| \`${name}\` | ${shape.join(' × ')} |`)
    expect(readme).toContain('s = 2')
  })
})

describe('--format state', () => {
  test('holds the first state of each layer under short names, and says what it belongs to', async () => {
    const adapter = await writeRandomAdapter(directory('state'), {settings: [STATE]})
    const out = directory('state-out')
    const report = await exportAdapter({adapter, format: 'state', out})
    const {base, values} = await readAdapter(adapter)
    const {convWidth: k, inner: e, layers, states: n} = await configIn(BASE)
    expect(report).toEqual({
      files: ['state.json', 'state.safetensors'],
      format: 'state',
      left_out: [],
      out,
      tensors: 2 * layers,
    })
    const expected = [...values].map(([name, tensor]) => [
      name.replace('adapters.0.', '').replace('mixer.initial_state.', ''),
      tensor,
    ])
    const found = await tensorsIn(`${out}/state.safetensors`)
    expect(found).toEqual(Object.fromEntries(expected))
    expect(Object.keys(found)).toContain('layers.1.scan')
    expect(JSON.parse(await readFile(`${out}/state.json`, 'utf8'))).toEqual({
      format: 'mambatune-state',
      version: 1,
      architecture: 'mamba',
      layers,
      shapes: {conv: [e, k - 1], scan: [e, n]},
      base: {fingerprint: base.fingerprint, path: BASE},
    })
  })

  test('has only the states that were learned', async () => {
    const settings = [{...STATE, conv: false}]
    const adapter = await writeRandomAdapter(directory('scan'), {settings})
    await exportAdapter({adapter, format: 'state', out: directory('scan-out')})
    const found = await tensorsIn(directory('scan-out', 'state.safetensors'))
    expect(Object.keys(found).sort()).toEqual(['layers.0.scan', 'layers.1.scan'])
  })

  test('is refused for an adapter with other parts, which --partial leaves out', async () => {
    const adapter = await writeRandomAdapter(directory('both'), {settings: [lora({targets: ['in_proj']}), STATE]})
    const out = directory('both-out')
    await expect(exportAdapter({adapter, format: 'state', out})).rejects.toMatchObject({
      exit: 8,
      faults: [{where: 'adapters.0 (lora)'}],
      hint: expect.stringContaining('--partial'),
    })
    expect(await readdir(directory())).not.toContain('both-out')
    const {left_out: leftOut, tensors} = await exportAdapter({adapter, format: 'state', out, partial: true})
    expect(leftOut).toEqual([{part: 'adapters.0 (lora)', reason: 'is no initial state'}])
    expect(tensors).toBe(4)
  })

  test('is refused for an adapter without an initial state, --partial or not', async () => {
    const refused = exportAdapter({
      adapter: goldenPath('mamba1', 'lora'),
      format: 'state',
      out: directory('none'),
      partial: true,
    })
    await expect(refused).rejects.toMatchObject({exit: 8, message: expect.stringContaining('No part')})
  })

  test('is refused when a layer lacks its state or has one of another shape', async () => {
    const adapter = await writeRandomAdapter(directory('damaged'), {
      settings: [STATE],
      change(tensors) {
        tensors.delete('adapters.0.layers.0.mixer.initial_state.conv')
        tensors.set('adapters.0.layers.1.mixer.initial_state.scan', {shape: [1, 1], values: new Float32Array(1)})
      },
    })
    await expect(exportAdapter({adapter, format: 'state', out: directory('damaged-out')})).rejects.toMatchObject({
      exit: 8,
      faults: expect.arrayContaining([
        {message: 'is missing', where: 'layers.0.mixer.initial_state.conv'},
        {message: expect.stringContaining('has shape [1, 1]'), where: 'layers.1.mixer.initial_state.scan'},
      ]),
    })
  })
})

test('an output directory that holds something is left alone', async () => {
  const options = {adapter: goldenPath('mamba1', 'lora'), format: 'peft', out: directory('twice')} as const
  await exportAdapter(options)
  await expect(exportAdapter(options)).rejects.toMatchObject({
    exit: 4,
    message: expect.stringContaining('Cannot write'),
  })
})
