// Compares the methods at matched numbers of trained parameters: both shipped models, two tasks, three seeds. The learning
// rate of each is chosen by the loss of the first seed on rows kept for that, from three and further ones while the highest
// is the best; the loss that is told is of other rows, which nothing saw. Results are lines of JSON, one for each method,
// budget, model and task.
//
//   node scripts/compare-methods.mjs --out results.jsonl [--device gpu] [--workers 8] [--steps 100] [--only TEXT]
//
// A worker is a process with a device of its own. What is in the file already is not done again, but goes on where the
// highest rate was the best.
import {spawn} from 'node:child_process'
import {appendFile, readFile, writeFile} from 'node:fs/promises'
import process from 'node:process'
import {parseArgs} from 'node:util'

const {values: flags} = parseArgs({
  options: {
    device: {default: 'auto', type: 'string'},
    only: {default: '', type: 'string'},
    out: {type: 'string'},
    steps: {default: '100', type: 'string'},
    worker: {type: 'string'},
    workers: {default: '1', type: 'string'},
  },
})
if (!flags.out) throw new Error('--out FILE is missing')
const STEPS = Number(flags.steps)
const MODELS = ['models/tiny-mamba', 'models/tiny-mamba2']
const TASKS = ['definitions', 'kjv']

const nameOf = ({budget, contender, model, name, task}) => [model, task, name ?? contender.name, budget].join(' · ')

async function startWorkers(count) {
  const ended = Array.from({length: count}, (_, index) => {
    const child = spawn(process.execPath, [...process.argv.slice(1), '--worker', `${index}/${count}`], {
      stdio: 'inherit',
    })
    return new Promise((resolve) => child.once('exit', resolve))
  })
  await Promise.all(ended)
}

async function doneBefore() {
  const text = await readFile(flags.out, 'utf8').catch(() => '')
  const results = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  return new Map(results.map((result) => [nameOf(result), result]))
}

/** One line for each entrant, the last that was written. */
async function keepLast() {
  const lines = [...(await doneBefore()).values()].map((result) => `${JSON.stringify(result)}\n`)
  await writeFile(flags.out, lines.join(''))
}

async function work(index, count) {
  const {startDevice} = await import('../dist/backend/devices.js')
  const {openModelDirectory} = await import('../dist/checkpoint/model-directory.js')
  const {loadModel} = await import('../dist/model/load-model.js')
  const {canGoOn, compete, entrantsOf, rowsOf, untrained} = await import('./compare-methods/contest.mjs')
  const device = await startDevice(flags.device, {precision: 'f32'})
  const done = await doneBefore()
  let place = 0
  for (const base of MODELS) {
    const model = await loadModel(await openModelDirectory(base))
    for (const task of TASKS) {
      const rows = await rowsOf(base, task, STEPS)
      const tell = async (result) => {
        await appendFile(flags.out, `${JSON.stringify({...result, device: device.description})}\n`)
        console.log(`${nameOf(result)}: ${result.told.map((loss) => loss.toFixed(4)).join(' ')}`)
      }
      if (index === 0 && !done.has(nameOf({budget: 0, model: base, name: 'untrained', task}))) {
        await tell({
          budget: 0,
          model: base,
          name: 'untrained',
          task,
          told: [await untrained(model, rows)],
          total: model.weights.size,
          trained: 0,
        })
      }
      for (const entrant of entrantsOf(base, model.config, model.weights.size)) {
        place++
        const name = nameOf({...entrant, model: base, task})
        const before = done.get(name)
        if (place % count !== index || (before && !canGoOn(before)) || !name.includes(flags.only)) continue
        try {
          const result = await compete(entrant, {model, path: base}, rows, task, STEPS, before)
          await tell({...result, total: model.weights.size})
        } catch (error) {
          console.log(`${name}: ${error.message} ${JSON.stringify(error.faults ?? [])}`)
        }
      }
    }
    model.weights.dispose()
  }
  device.close()
  process.exit(0)
}

if (flags.worker === undefined) {
  await startWorkers(Number(flags.workers))
  await keepLast()
} else await work(...flags.worker.split('/').map(Number))
