// Coverage-guided fuzzing of every reader: libFuzzer, through Jazzer.js, keeps the inputs that reach code which none before them reached, and changes
// those further. Readers and the libraries that they call are bundled into one CommonJS file, because Jazzer.js instruments no other.
// What reaches new code is added to the corpus, which test/fuzz/corpus.test.ts reads in every run of the tests.
// After a build, and test/fuzz-coverage/install.sh: node scripts/fuzz-coverage.mjs [seconds of each reader] [reader]
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {build} from 'esbuild'
import {CORPUS, readCorpus, slugOf} from './feed-reader.mjs'
import {READERS} from './fuzzed-readers.mjs'
import {withNewBlocks} from './new-blocks.mjs'

const home = fileURLToPath(new URL('../test/fuzz-coverage/', import.meta.url))
const jazzer = path.join(home, 'node_modules', '@jazzer.js', 'core', 'dist', 'cli.js')
const packages = fileURLToPath(new URL('../node_modules', import.meta.url))
const libc = path.join(home, 'libc')

/** Bytes of an input; the good files are smaller, but for those of PEFT. */
const LONGEST = 8192
/** Bytes of all inputs of one reader in the corpus */
const KEPT = 16_384

/** A bundle has one place only, and its modules are from many. */
const ownPlaces = {
  name: 'own places',
  setup({onLoad}) {
    onLoad({filter: /\.m?js$/}, async ({path: file}) => {
      const text = await readFile(file, 'utf8')
      return text.includes('import.meta.url')
        ? {contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href))}
        : null
    })
  },
}

/** What runs in a process of its own would not be seen. */
const oneProcess = {
  name: 'one process',
  setup({onResolve}) {
    onResolve({filter: /\/parquet-decoder\.js$/}, () => ({path: path.join(home, 'parquet-in-process.mjs')}))
  },
}

async function bundled(directory) {
  const outfile = path.join(directory, 'target.cjs')
  await build({
    bundle: true,
    entryPoints: [path.join(home, 'target.mjs')],
    // Zod sees values, not files, and is half of all code there is.
    external: ['webgpu', '@tensorflow/*', 'zod'],
    format: 'cjs',
    logLevel: 'error',
    outfile,
    platform: 'node',
    plugins: [oneProcess, ownPlaces],
    target: 'node20',
  })
  return outfile
}

/** The program, under its own C library where the system's is too old. */
function command(args) {
  if (!existsSync(libc)) return [process.execPath, args]
  return [path.join(libc, 'ld-linux-x86-64.so.2'), ['--library-path', libc, process.execPath, ...args]]
}

async function writeInputs(directory, inputs) {
  await mkdir(directory, {recursive: true})
  for (const [index, bytes] of inputs.entries()) await writeFile(path.join(directory, `seed-${index}`), bytes)
}

/** Runs libFuzzer. Gives edges reached by the first inputs and in the end, the number of cases, and what was said if one failed. */
async function runJazzer(slug, {bundle, directory, seconds}) {
  const [program, args] = command([
    jazzer,
    bundle,
    '--timeout=10000',
    '--',
    path.join(directory, 'found'),
    path.join(directory, 'seeds'),
    `-max_total_time=${seconds}`,
    `-max_len=${LONGEST}`,
    '-rss_limit_mb=3072',
    `-artifact_prefix=${directory}/`,
  ])
  const env = {
    ...process.env,
    FUZZED_READER: slug,
    FUZZING_DIRECTORY: directory,
    NODE_PATH: packages,
    TMPDIR: directory,
  }
  const child = spawn(program, args, {cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe']})
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (text += piece))
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const edges = [...text.matchAll(/\bcov: (\d+)/g)].map(([, count]) => Number(count))
  const [, cases = '0'] = /Done (\d+) runs/.exec(text) ?? [...text.matchAll(/^#(\d+)\t/gm)].at(-1) ?? []
  const [, first] = /INITED cov: (\d+)/.exec(text) ?? []
  return {cases: Number(cases), failure: code === 0 ? null : text, first: Number(first ?? 0), last: edges.at(-1) ?? 0}
}

/** Fuzzes one reader; adds to its corpus. Gives false if an input failed. */
async function fuzz(reader, {bundle, directory: parent, seconds}) {
  const slug = slugOf(reader)
  const directory = path.join(parent, slug)
  const kept = await readCorpus(reader)
  await writeInputs(path.join(directory, 'seeds'), [await readFile(reader.files[reader.file]), ...kept])
  await mkdir(path.join(directory, 'found'))
  const {cases, failure, first, last} = await runJazzer(slug, {bundle, directory, seconds})
  const names = await readdir(path.join(directory, 'found'))
  const found = await Promise.all(names.map((name) => readFile(path.join(directory, 'found', name))))
  const corpus = await withNewBlocks(reader, {directory: path.join(directory, 'again'), found, kept, most: KEPT})
  if (corpus.length > 0) {
    await mkdir(CORPUS, {recursive: true})
    await writeFile(path.join(CORPUS, `${slug}.txt`), corpus.map((bytes) => `${bytes.toString('base64')}\n`).join(''))
  }
  const added = corpus.length - kept.length
  console.log(`${reader.name}: ${cases} cases, ${first} → ${last} edges, ${added} inputs added to ${kept.length}`)
  if (failure === null) return true
  const crashes = (await readdir(directory)).filter((name) => /^(?:crash|timeout|oom|slow)/.test(name))
  for (const name of crashes) {
    const bytes = await readFile(path.join(directory, name))
    console.log(`${reader.name} failed on (base64) ${bytes.toString('base64')}`)
  }
  console.log(failure.slice(-4000))
  return false
}

const [seconds = '30', only] = process.argv.slice(2)
if (!existsSync(jazzer)) throw new Error('Jazzer.js is not there: run test/fuzz-coverage/install.sh first.')
const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-fuzz-coverage-'))
const bundle = await bundled(directory)
let isWell = true
for (const reader of READERS) {
  if (only !== undefined && reader.name !== only) continue
  isWell = (await fuzz(reader, {bundle, directory, seconds})) && isWell
}
await rm(directory, {force: true, recursive: true})
process.exitCode = isWell ? 0 : 1
