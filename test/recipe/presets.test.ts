/** The preset recipes are what their script writes, and what they say of size, memory and speed is so. */
import {describe, expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'
import {readFigures} from '../../scripts/preset-recipes/figures.mjs'
import {presetFiles} from '../../scripts/write-preset-recipes.mjs'
import {type PresetName, presetConfig} from '../../src/model/presets.js'
import {parameterSpecs} from '../../src/peft/adapter-set.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {stepShape} from '../../src/recipe/step-shape.js'
import {countParameters} from '../../src/report/inspect-model.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {sizeOf} from '../../src/train/memory-shape.js'

const GPU = {device: 'gpu', precision: 'f16'} as const

const {estimated, measured} = readFigures()
const files = presetFiles()
const names = [...files.keys()].flatMap((path) => /^recipes\/(.*)\.yaml$/.exec(path)?.[1] ?? [])
const shapeOf = (name: string): PresetName => name.slice(0, name.lastIndexOf('-')) as PresetName
const recipeOf = async (name: string): ReturnType<typeof loadRecipe> => loadRecipe(`recipes/${name}.yaml`)

/** Mends itself with: node scripts/write-preset-recipes.mjs */
test.each([...files])('%s is what scripts/write-preset-recipes.mjs writes', async (path, text) => {
  expect(await readFile(path, 'utf8')).toBe(text)
})

test('there is a preset for each of twelve models and three methods', () => {
  expect(new Set(names.map(shapeOf)).size).toBe(12)
  expect(new Set(names.map((name) => name.slice(name.lastIndexOf('-') + 1)))).toEqual(new Set(['lora', 'ssm', 'state']))
  expect(names).toHaveLength(36)
  expect(Object.keys(estimated)).toEqual(names)
})

/** Mends itself with: npm run build && node scripts/write-preset-recipes.mjs --estimate */
describe('estimates', () => {
  test.each(names)('count the numbers of %s', async (name) => {
    const {recipe} = await recipeOf(name)
    const config = presetConfig(shapeOf(name))
    const trained = [...parameterSpecs(recipe.adapters, config).values()].map(({shape}) => sizeOf(shape))
    const counts = {base: countParameters(config), trained: trained.reduce((sum, count) => sum + count, 0)}
    expect(estimated[name]).toMatchObject(counts)
  })

  test.each(['mamba-130m-state', 'mamba2-1.3b-lora'])(
    'are within 10 %% of what a step of %s takes by plan',
    async (name) => {
      const {recipe} = await recipeOf(name)
      const shape = stepShape(recipe, presetConfig(shapeOf(name)), GPU, null)
      for (const checkpointing of ['none', 'block'] as const) {
        const {total} = await estimateMemory({...shape, checkpointing})
        expect(Math.abs(estimated[name][checkpointing] / total - 1)).toBeLessThan(0.1)
      }
    },
  )
})

/** Two runs on one kind of GPU differ by so much. */
const BETWEEN_RUNS = 0.03

describe('measured figures', () => {
  test('are of presets, once each, with day and commit', () => {
    expect(measured.size).toBeGreaterThan(5)
    for (const [name, row] of measured) {
      expect(names).toContain(name)
      expect(row).toMatchObject({
        commit: expect.stringMatching(/^[0-9a-f]{7,}$/),
        date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      })
    }
  })

  test('are near those of docs/performance.md where that has the same setting', async () => {
    const page = await readFile('docs/performance.md', 'utf8')
    const table = page.slice(page.indexOf('### Training, beside the peer')).split('\nMedians')[0]
    let [model, found] = ['', 0]
    for (const line of table.split('\n').filter((row) => /^\| .*×.*\d/.test(row))) {
      const [, named, shape, speed, , , , peak] = line.split('|').map((cell) => cell.trim())
      model = named || model
      const row = measured.get(`${model}-lora`)
      const {recipe} = await recipeOf(`${model}-lora`)
      if (!row || shape !== `${recipe.train.batch_size} × ${recipe.data.max_length}`) continue
      found += 1
      expect(Math.abs(row.tokens_per_second / Number(speed.replaceAll(',', '')) - 1)).toBeLessThan(BETWEEN_RUNS)
      expect(Math.abs(row.peak_gib / Number(peak) - 1)).toBeLessThan(BETWEEN_RUNS)
    }
    expect(found).toBeGreaterThanOrEqual(6)
  })

  test('lie near the estimate', () => {
    for (const [name, {peak_gib: peak}] of measured) {
      expect(Math.abs((peak * 2 ** 30) / estimated[name].none - 1)).toBeLessThan(0.1)
    }
  })
})
