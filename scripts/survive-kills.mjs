// Trains a tiny model, killing the program with SIGKILL again and again: half of the times at a random moment, half in a
// random call that writes (checkpoints, metrics, lock, adapter). Each time it is resumed; in the end adapter and metrics
// have to be those of a run that was never killed. After a build: node scripts/survive-kills.mjs [kills] [device]
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {clearTimeout, setTimeout} from 'node:timers'
import {fileURLToPath, pathToFileURL} from 'node:url'

const repository = fileURLToPath(new URL('..', import.meta.url))
const FAULTY = pathToFileURL(path.join(repository, 'scripts', 'faulty-files.mjs')).href

/** Calls that write, among which one kill chooses. A start needs about ten, a checkpoint as many. */
const MOST_CALLS = 60
/** Steps of the run for each kill; on average fewer are done between two. */
const STEPS_A_KILL = 40

/** @param {{kills: number, device?: string, directory: string, seed?: number, note?: (text: string) => void}} options */
export async function surviveKills({device = 'cpu', directory, kills, note = () => {}, seed = 1}) {
  const random = randomNumbers(seed)
  const whole = path.join(directory, 'whole')
  const killed = path.join(directory, 'killed')
  const recipe = await writeRecipe(directory, kills)
  const ended = await run(['train', recipe, '--out', whole, '--device', device], {})
  if (ended.signal !== null || ended.code !== 0) throw new Error(`the run that is not killed failed: ${ended.text}`)
  const next = () =>
    existsSync(path.join(killed, 'recipe.resolved.yaml'))
      ? ['resume', killed]
      : ['train', recipe, '--out', killed, '--device', device]
  let survived = 0
  while (survived < kills) {
    const isTimed = random() < 0.5
    const limits = isTimed
      ? {milliseconds: ended.startup * (0.3 + random())}
      : {fault: `kill@${1 + Math.floor(MOST_CALLS * random())}`}
    const {code, signal, text} = await run(next(), limits)
    if (signal === 'SIGKILL') survived += 1
    else if (code !== 0) throw new Error(`exit code ${code} after ${survived} kills: ${text}`)
    else break // it was done before it could be killed
    note(`${survived}: ${isTimed ? `after ${Math.round(limits.milliseconds)} ms` : limits.fault}`)
  }
  const last = await run(next(), {})
  if (last.code !== 0) throw new Error(`the last resume failed: ${last.text}`)
  return {
    adapter: await differs(whole, killed, 'adapter/adapter.safetensors'),
    kills: survived,
    metrics: await differs(whole, killed, 'metrics.jsonl'),
  }
}

async function writeRecipe(directory, kills) {
  const rows = Array.from({length: 7}, (_, row) => ({
    input_ids: Array.from({length: 4 + row}, (_, i) => 2 + ((7 * row + 11 * i) % 90)),
  }))
  const train = path.join(directory, 'rows.jsonl')
  await writeFile(train, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const file = path.join(directory, 'recipe.yaml')
  const recipe = {
    version: 1,
    model: {base: path.join(repository, 'test', 'fixtures', 'golden', 'mamba1')},
    adapters: [{method: 'lora', targets: ['in_proj', 'x_proj'], rank: 2, alpha: 4, dropout: 0.1}],
    data: {train, format: 'tokens'},
    train: {max_steps: STEPS_A_KILL * kills, epochs: 1e6, batch_size: 2, gradient_accumulation: 2},
    checkpoints: {every: 3, keep: 2},
  }
  await writeFile(file, JSON.stringify(recipe))
  return file
}

/** Runs the program; `startup` is the time in milliseconds until it trained. */
function run(args, {fault, milliseconds}) {
  const env = fault ? {...process.env, MAMBATUNE_FAULT: fault, NODE_OPTIONS: `--import=${FAULTY}`} : process.env
  const child = spawn(process.execPath, [path.join(repository, 'bin', 'run.js'), ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const began = performance.now()
  let [text, startup] = ['', Infinity]
  child.stderr.on('data', (piece) => {
    text += piece
    if (startup === Infinity && text.includes('training')) startup = performance.now() - began
  })
  const timer = milliseconds === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), milliseconds)
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({code, signal, startup: Number.isFinite(startup) ? startup : 1000, text})
    })
  })
}

/** null if the two runs have the same file, what depends on the clock and the memory of the machine left out. */
async function differs(whole, killed, name) {
  const [a, b] = await Promise.all([whole, killed].map((run) => readFile(path.join(run, name), 'latin1')))
  const untimed = (text) => text.replaceAll(/"(elapsed_s|memory_bytes|tokens_per_second)":[^,}]+/g, '')
  return untimed(a) === untimed(b) ? null : `${name} of the killed run differs (${a.length} and ${b.length} bytes)`
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function randomNumbers(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kills = '200', device = 'cpu'] = process.argv.slice(2)
  const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-kills-'))
  const result = await surviveKills({device, directory, kills: Number(kills), note: (text) => console.log(text)})
  await rm(directory, {force: true, recursive: true})
  console.log(result)
  process.exitCode = result.kills === Number(kills) && result.adapter === null && result.metrics === null ? 0 : 1
}
