// The quickstart: the commands of a whole fine-tuning, one after another, as a person would type them.
// Each line that begins with $ can be typed just so (as node bin/run.js … in a clone).
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import process from 'node:process'
import {fileURLToPath} from 'node:url'

const program = fileURLToPath(new URL('../bin/run.js', import.meta.url))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const model = 'models/tiny-mamba'
const prompt = 'Define the noun "goldfinch".\n'
const began = performance.now()
const run = freeName('runs/quickstart')

title('Before: what the pretrained model makes of a prompt')
await mambatune('generate', model, '--prompt', prompt, '--max-new-tokens', '40')

title('Training LoRA, low-rank updates of Δ, B and C, and prefix states together, on WordNet definitions')
await mambatune('train', 'recipes/quickstart.yaml', '--out', run)

title('Merging, and proving that merged = attached')
await mambatune('merge', `${run}/adapter`, '--base', model, '--out', `${run}/merged`, '--partial', '--dtype', 'f32')

title('After: the merged model with its learned first state')
await mambatune(
  'generate',
  `${run}/merged`,
  '--adapter',
  `${run}/merged/adapter`,
  '--prompt',
  prompt,
  '--max-new-tokens',
  '40',
)

console.log(
  `\nDone in ${Math.round((performance.now() - began) / 1000)} s. Everything is in ${run}; README.md has a tour of the rest.`,
)

/** Runs one command with this terminal; a failure ends the quickstart with its exit code. */
async function mambatune(...parameters) {
  console.log(`$ mambatune ${parameters.map(quote).join(' ')}`)
  const child = spawn(process.execPath, [program, ...parameters], {stdio: 'inherit'})
  process.once('SIGINT', ignore) // the command itself answers Ctrl+C
  const code = await new Promise((resolve) => child.once('exit', (status) => resolve(status ?? 1)))
  process.off('SIGINT', ignore)
  if (code !== 0) process.exit(code)
}

function ignore() {}

function title(text) {
  console.log(`\n${text}`)
}

/** As a shell wants it. */
function quote(parameter) {
  if (/^[\w./=-]+$/.test(parameter)) return parameter
  return parameter.includes('\n')
    ? `$'${parameter.replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
    : `'${parameter.replaceAll("'", "'\\''")}'`
}

/** The name, or the name with the first free number. */
function freeName(name) {
  if (!existsSync(name)) return name
  for (let number = 2; ; number++) if (!existsSync(`${name}-${number}`)) return `${name}-${number}`
}
