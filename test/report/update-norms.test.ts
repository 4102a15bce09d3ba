/** Norms by layer and slice, against those of ΔW computed plainly. */
import {describe, expect, test} from '@jest/globals'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {readTensorFloat32} from '../../src/checkpoint/safetensors.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {adaptableSites} from '../../src/peft/sites-of.js'
import {knownModel} from '../../src/peft/update-parts.js'
import {adapterDiff} from '../../src/report/adapter-diff.js'
import {adapterInfo} from '../../src/report/adapter-info.js'
import {normPicture} from '../../src/report/norm-picture.js'
import {gridOf, updateNorms} from '../../src/report/update-norms.js'
import {deltaScale, partial, prodial, sparse} from '../peft/parameter-rows.js'
import {goldenPath} from '../support/golden.js'
import {random, updateOf, writePeft} from '../support/peft-adapter.js'
import {configIn, lora, moreStates, STATE, vera, weightUpdates, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = goldenPath('mamba1')
const inWork = workDirectory()
const SETTINGS = [
  lora({targets: ['in_proj', 'x_proj.B', 'conv1d']}),
  lora({rank: 2, targets: ['in_proj.z', 'layers.1.mixer.out_proj', 'embeddings']}),
]

describe('the norms of an adapter', () => {
  test('are those of the rows of what it adds, by slice', async () => {
    const saved = await readAdapter(await writeRandomAdapter(inWork('a'), {settings: SETTINGS}))
    const files = await openModelDirectory(MODEL)
    const config = await configIn(MODEL)
    const {parts, unknown} = await updateNorms(saved, knownModel(files))
    expect(unknown).toEqual([])
    const updates = weightUpdates(saved, config)
    const sites = new Map(adaptableSites(config).map((site) => [site.name, site]))
    for (const {norm, relative, rms, site: name} of parts) {
      const site = sites.get(name)
      if (!site) throw new Error(`${name} is no site`)
      const rows = (values: ArrayLike<number>): number[] =>
        Array.from(values).slice(site.from * site.inputs, site.to * site.inputs)
      expect(norm).toBeCloseTo(Math.hypot(...rows(updates.get(site.module) ?? [])), 5)
      expect(rms).toBeCloseTo(norm / Math.sqrt((site.to - site.from) * site.inputs), 12)
      const entry = files.tensors.get(`backbone.${site.module}.weight`)
      if (!entry) throw new Error(`${name} has no weight`)
      expect(relative).toBeCloseTo(norm / Math.hypot(...rows(await readTensorFloat32(entry))), 6)
    }
    expect(parts.map(({rank, site}) => [site, rank])).toEqual(
      expect.arrayContaining([
        ['layers.0.mixer.in_proj.x', 3],
        ['layers.1.mixer.in_proj.z', 5],
        ['layers.1.mixer.out_proj', 2],
        ['embeddings', 2],
      ]),
    )
    expect(parts).toHaveLength(2 * 4 + 2)
  })

  test('without the model are those of sites as the adapter names them', async () => {
    const saved = await readAdapter(inWork('a'))
    const {parts} = await updateNorms(saved, null)
    const [{norm}] = parts.filter(({site}) => site === 'layers.0.mixer.in_proj')
    const {parts: slices} = await updateNorms(
      {...saved, settings: saved.settings.slice(0, 1), values: ofFirst(saved)},
      {
        config: await configIn(MODEL),
        files: null,
      },
    )
    const both = slices.filter(({site}) => site.startsWith('layers.0.mixer.in_proj'))
    expect(norm).toBeCloseTo(Math.hypot(...both.map((part) => part.norm)), 6)
    expect(parts.every(({relative}) => relative === null)).toBe(true)
  })

  test('of whole tensors are told from the weights, and a state has none', async () => {
    const bias = 'backbone.layers.1.mixer.dt_proj.bias'
    const tensors = [...updateOf('backbone.layers.0.mixer.x_proj', 2, 20, 64), random(bias, 64)]
    const adapter = await writePeft(inWork('whole'), {bias: 'all'}, tensors)
    const {not_shown: hidden} = await adapterInfo(adapter, null)
    expect(hidden).toMatchObject([{part: 'adapters.0 (full-values)', reason: expect.stringContaining('--model')}])
    const {not_shown, parts} = await adapterInfo(adapter, {directory: MODEL, name: MODEL})
    expect(not_shown).toEqual([])
    const entry = (await openModelDirectory(MODEL)).tensors.get(bias)
    if (!entry) throw new Error('no bias')
    const before = await readTensorFloat32(entry)
    const [, {values}] = tensors[2]
    const found = parts.find(({site}) => site === 'layers.1.mixer.dt_proj.bias')
    expect(found?.norm).toBeCloseTo(Math.hypot(...values.map((value, index) => value - before[index])), 6)
    const state = await adapterInfo(await writeRandomAdapter(inWork('state'), {settings: [STATE]}), null)
    expect(state).toMatchObject({norm: 0, not_shown: [{reason: 'adds nothing to weights'}], parts: []})
  })

  test.each<[string, AdapterSettings, string]>([
    ['DoRA', lora({dora: true, targets: ['in_proj']}), 'layers.0.mixer.in_proj.z'],
    ['VeRA', vera({targets: ['out_proj']}), 'layers.1.mixer.out_proj'],
    ['partial', partial('A_log', 'embeddings'), 'embeddings.weight'],
    ['delta-scale', deltaScale('channel'), 'layers.1.mixer.A_log'],
    ['ProDiaL', prodial(), 'layers.0.mixer.out_proj'],
    ['sparse-dimension', sparse(), 'layers.0.mixer.A_log'],
  ])('of %s are told from the weights', async (name, settings, site) => {
    const adapter = await writeRandomAdapter(inWork(name), {settings: [settings]})
    const {not_shown: hidden} = await adapterInfo(adapter, null)
    expect(hidden).toMatchObject([{reason: expect.stringContaining('--model')}])
    const {not_shown, parts} = await adapterInfo(adapter, {directory: MODEL, name: MODEL})
    expect(not_shown).toEqual([])
    expect(parts.find((part) => part.site === site)?.norm).toBeGreaterThan(0)
  })

  test('of more states are not a difference of weights, which is said', async () => {
    const adapter = await writeRandomAdapter(inWork('states'), {settings: [moreStates({states: 2})]})
    const {not_shown, parts} = await adapterInfo(adapter, {directory: MODEL, name: MODEL})
    expect(parts).toEqual([])
    expect(not_shown).toMatchObject([{reason: expect.stringContaining('larger')}])
  })

  test('make a grid in the order of the computation, and a picture with every number in it', async () => {
    const {parts} = await adapterInfo(inWork('a'), null)
    const grid = gridOf(parts)
    expect(grid.parts).toEqual(['in_proj.x', 'in_proj.z', 'conv1d', 'x_proj.B', 'out_proj', 'embeddings'])
    expect(grid.layers).toEqual([0, 1, null])
    expect(grid.cells[4]).toEqual([null, expect.any(Number), null])
    const svg = normPicture(grid, 'a <b> & c')
    expect(svg.match(/<rect /g)).toHaveLength(parts.length)
    expect(svg).toContain('a &lt;b&gt; &amp; c')
    for (const {layer, norm, part} of parts) {
      expect(svg).toContain(`<title>${layer === null ? '' : `layer ${layer} `}${part}: ${norm.toPrecision(4)}</title>`)
    }
  })
})

function ofFirst({values}: Awaited<ReturnType<typeof readAdapter>>): typeof values {
  return new Map([...values].filter(([name]) => name.startsWith('adapters.0.')))
}

describe('the difference of two adapters', () => {
  test('is nothing of one and the same, and the scale of one that is scaled', async () => {
    const same = await adapterDiff(inWork('a'), inWork('a'), null)
    expect(same).toMatchObject({cosine: expect.closeTo(1, 6), same_base: true, settings: []})
    expect(same.difference).toBeLessThan(1e-3 * same.norm_a)
    const [lora1, rslora] = ['lora', 'rslora'].map((kind) => goldenPath('mamba1', kind))
    const scaled = await adapterDiff(lora1, rslora, {directory: MODEL, name: MODEL})
    expect(scaled.settings).toEqual([{a: false, b: true, where: 'adapters.0.rslora'}])
    expect(scaled.parts).toHaveLength(2 * 5)
    for (const {cosine, difference, norm_a: a, norm_b: b} of scaled.parts) {
      expect(cosine).toBeCloseTo(1, 6)
      expect([difference, b]).toEqual([expect.closeTo(a ?? 0, 5), expect.closeTo(2 * (a ?? 0), 5)])
    }
  })

  test('of adapters on other sites is at right angles', async () => {
    const other = await writeRandomAdapter(inWork('other'), {settings: [lora({targets: ['dt_proj']})]})
    const {cosine, parts} = await adapterDiff(inWork('a'), other, null)
    expect(cosine).toBe(0)
    expect(parts.every((part) => part.cosine === null && (part.norm_a === null || part.norm_b === null))).toBe(true)
  })
})
