// One method in the comparison: the sizes of it that come close to a budget, and its runs.
import path from 'node:path'
import {NumericError} from '../../dist/errors.js'
import {evaluate} from '../../dist/train/evaluate.js'
import {AdapterSet} from '../../dist/peft/adapter-set.js'
import {parseRecipe} from '../../dist/recipe/load.js'
import {readData} from '../../dist/recipe/run-data.js'
import {trainSettings} from '../../dist/recipe/settings.js'
import {trainedNumbers} from '../../dist/report/plan.js'
import {startAdapters} from '../../dist/train/start-adapters.js'
import {train} from '../../dist/train/train.js'
import {BUDGETS, CONTENDERS, FULL, NEAR} from './contenders.mjs'

export const SEEDS = [1, 2, 3]

/** Rates that are tried at most. */
const MOST_RATES = 6
export const BATCH = 16

/** Rows for the choice of the learning rate, and for the loss that is told: of the end of the text, which nothing trains on. */
const CHOICE = 160
const TOLD = 320

const TASKS = {
  definitions: {format: 'auto', loss: 'auto', train: 'data/definitions.train.jsonl'},
  kjv: {format: 'text', loss: 'all', train: 'data/kjv.train.txt'},
}

function recipeOf({adapters, model, rate = 1e-3, seed = 1, steps, task}) {
  const {format, loss, train: file} = TASKS[task]
  return parseRecipe(
    JSON.stringify({
      adapters,
      data: {format, loss_on: loss, max_length: 128, train: file},
      eval: {at_start: false},
      model: {base: model},
      output_dir: 'runs/compare-methods',
      seed,
      train: {
        batch_size: BATCH,
        clip_norm: 1,
        max_steps: steps,
        optimizer: {learning_rate: rate},
        schedule: {name: 'cosine', warmup: 0.05},
      },
      version: 1,
    }),
    'compare-methods',
  )
}

/** Rows of a task: to train on, to choose by, to tell of. */
export async function rowsOf(model, task, steps) {
  const recipe = recipeOf({adapters: CONTENDERS[0].build(1), model, steps, task})
  const {train: dataset} = await readData(recipe, {model: path.resolve(model), tokenizer: path.resolve(model)})
  const {examples} = dataset
  const end = examples.length
  const part = (from, to) => Array.from({length: to - from}, (_, index) => examples[from + index])
  return {
    choice: part(end - TOLD - CHOICE, end - TOLD),
    told: part(end - TOLD, end),
    train: part(0, Math.min(BATCH * steps, end - TOLD - CHOICE)),
  }
}

/** What a method trains of this model, with its settings as a recipe has them; null where the model does not have it. */
function trainedBy(adapters, model, config) {
  try {
    const recipe = recipeOf({adapters, model, steps: 1, task: 'definitions'})
    return trainedNumbers(recipe.adapters, config)
  } catch {
    return null
  }
}

/** Entrants of a model: one for each method and budget, in the size that comes closest. */
export function entrantsOf(model, config, total) {
  const families = (contender) => contender.families?.includes(config.architecture) ?? true
  const within = CONTENDERS.filter(families).flatMap((contender) => {
    const sizes = contender.sizes.flatMap((size) => {
      const trained = trainedBy(contender.build(size), model, config)
      return trained === null ? [] : [{size, trained}]
    })
    return BUDGETS.flatMap((budget) => {
      const far = ({trained}) => Math.abs(Math.log(trained / (budget * total)))
      const best = [...sizes].sort((a, b) => far(a) - far(b))[0]
      const share = best ? best.trained / (budget * total) : 0
      return share < NEAR[0] || share > NEAR[1] ? [] : [{...best, budget, contender}]
    })
  })
  return [...within, {budget: 1, contender: FULL, size: 1, trained: trainedBy(FULL.build(1), model, config)}]
}

/**
 * Trains with each rate and the first seed, then with the best rate and the other seeds. Where the highest rate is the best,
 * the grid goes on upwards. `before` is a result of this entrant that ended there: its rates are not tried again.
 */
export async function compete({budget, contender, size, trained}, {model, path: base}, rows, task, steps, before) {
  const run = (rate, seed) => runOnce({adapters: contender.build(size), base, model, rate, rows, seed, steps, task})
  const tried = before ? before.tried.map(({choice, rate}) => ({choice: choice ?? Infinity, rate})) : []
  if (before) tried.find(({rate}) => rate === before.rate).told = before.told[0]
  else for (const rate of contender.rates) tried.push(await run(rate, SEEDS[0]))
  while (endsAtHighest({rate: bestOf(tried).rate, tried}) && tried.length < MOST_RATES) {
    tried.push(await run(Number((3 * tried.at(-1).rate).toPrecision(3)), SEEDS[0]))
  }
  const best = bestOf(tried)
  if (before && best.rate === before.rate) return {...before, tried: tried.map(withoutTold)}
  const others = []
  for (const seed of SEEDS.slice(1)) others.push(await run(best.rate, seed))
  return {
    budget,
    model: base,
    name: contender.name,
    rate: best.rate,
    size,
    steps,
    task,
    told: [best, ...others].map(({told}) => told),
    trained,
    tried: tried.map(withoutTold),
  }
}

/** Whether a higher rate than all that were tried may be better still. */
export function endsAtHighest({rate, tried}) {
  return tried !== undefined && rate === Math.max(...tried.map((one) => one.rate))
}

/** Whether the grid of a result can go on. */
export const canGoOn = (result) => endsAtHighest(result) && result.tried.length < MOST_RATES

const bestOf = (tried) => tried.reduce((a, b) => (b.choice < a.choice ? b : a))
const withoutTold = ({choice, rate}) => ({choice, rate})

async function runOnce({adapters: entries, base, model, rate, rows, seed, steps, task}) {
  const recipe = recipeOf({adapters: entries, model: base, rate, seed, steps, task})
  const adapters = await startAdapters({
    base: {fingerprint: '', path: base},
    initAdapter: null,
    model,
    seed,
    settings: recipe.adapters,
  })
  const trainee = {adapters, model}
  try {
    await train({report() {}, settings: trainSettings(recipe), train: rows.train, trainee, validation: null})
    const choice = (await evaluate(trainee, rows.choice, {batchSize: 32})).loss
    return {choice, rate, told: (await evaluate(trainee, rows.told, {batchSize: 32})).loss}
  } catch (error) {
    if (!(error instanceof NumericError)) throw error
    return {choice: Infinity, rate, told: Infinity}
  } finally {
    adapters.dispose()
  }
}

/** The models as they are, without adapters. */
export async function untrained(model, rows) {
  const adapters = AdapterSet.create([], model.config, 0)
  const {loss} = await evaluate({adapters, model}, rows.told, {batchSize: 32})
  adapters.dispose()
  return loss
}
