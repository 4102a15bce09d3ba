// Writes the preset recipes, one for each published model and method, and their table in docs/presets.md. Measured figures are
// put into scripts/preset-recipes/measured.json by hand; estimated ones are computed with --estimate, when the shapes of models, the methods
// or the memory of a step change. Usage, after a build: node scripts/write-preset-recipes.mjs [--estimate]
import {readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {readFigures} from './preset-recipes/figures.mjs'
import {METHODS} from './preset-recipes/methods.mjs'
import {MODELS} from './preset-recipes/models.mjs'
import {recipeName, recipeText} from './preset-recipes/recipe-text.mjs'
import {withPresetTable} from './preset-recipes/table.mjs'

const PAIRS = MODELS.flatMap((model) => METHODS.map((method) => ({method, model, name: recipeName(model, method)})))

const at = (path) => new URL(`../${path}`, import.meta.url)

/**
 * What every file of the presets holds, by its path in the repository.
 * @returns {Map<string, string>}
 */
export function presetFiles() {
  const figures = readFigures()
  const page = readFileSync(at('docs/presets.md'), 'utf8')
  return new Map([
    ...PAIRS.map(({method, model, name}) => [`recipes/${name}.yaml`, recipeText(model, method, figures)]),
    ['docs/presets.md', withPresetTable(page, PAIRS, figures)],
  ])
}

/** Bytes of a step on a GPU in f16 with all activations kept and computed again, and how many numbers there are. */
async function estimates() {
  const [{presetConfig}, {estimateMemory}, {trainedNumbers}, {countParameters}, {methodSchemas}] = await Promise.all([
    import('../dist/model/presets.js'),
    import('../dist/train/memory-estimate.js'),
    import('../dist/report/plan.js'),
    import('../dist/report/inspect-model.js'),
    import('../dist/peft/method-settings.js'),
  ])
  const result = {}
  for (const {method, model, name} of PAIRS) {
    const config = presetConfig(model.preset)
    const settings = method.settings(model)
    const schema = methodSchemas.find(({shape}) => shape.method.value === settings.method)
    const adapters = [schema.parse(settings)]
    const step = {adapters, config, device: 'gpu', length: model.length, precision: 'f16', rows: model.batch}
    const totalWith = async (checkpointing) => (await estimateMemory({...step, checkpointing})).total
    result[name] = {
      base: countParameters(config),
      trained: trainedNumbers(adapters, config),
      none: await totalWith('none'),
      block: await totalWith('block'),
    }
  }
  return result
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--estimate')) {
    const spaced = (value) => JSON.stringify(value).replaceAll(/[:,]/g, '$& ')
    const lines = Object.entries(await estimates()).map(([name, figures]) => `  "${name}": ${spaced(figures)}`)
    writeFileSync(at('scripts/preset-recipes/estimated.json'), `{\n${lines.join(',\n')}\n}\n`)
  }
  for (const [path, text] of presetFiles()) writeFileSync(at(path), text)
}
