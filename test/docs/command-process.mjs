// Runs commands of the built program one after another in one process, which spares the start of each: test/docs/commands.test.ts
// starts it with a file of commands and the name of a file for the results. With `only: 'parse'` arguments and flags are read, and nothing is run.
import {readFileSync, writeFileSync} from 'node:fs'
import {Readable} from 'node:stream'
import {fileURLToPath} from 'node:url'
import {Config} from '@oclif/core'

const [tasksFile, resultsFile] = process.argv.slice(2)
const config = await Config.load(fileURLToPath(new URL('../..', import.meta.url)))
const results = []

/** What a function writes to stdout and stderr. */
async function captured(action) {
  const written = {code: 0, stderr: '', stdout: ''}
  const streams = ['stdout', 'stderr'].map((name) => [name, process[name].write])
  for (const [name] of streams) {
    process[name].write = (chunk, ...more) => {
      written[name] += chunk
      const done = more.at(-1)
      if (typeof done === 'function') done()
      return true
    }
  }
  try {
    await action()
  } catch (error) {
    written.code = error.oclif?.exit ?? 1
    written.stderr += error.code === 'EEXIT' ? '' : String(error.stack)
  } finally {
    for (const [name, write] of streams) process[name].write = write
  }
  return {...written, code: written.code || (process.exitCode ?? 0)}
}

/** The command whose words begin the line, and what is left for it. */
function commandOf(words) {
  for (let count = Math.min(2, words.length); count > 0; count--) {
    const command = config.findCommand(words.slice(0, count).join(':'))
    if (command) return {command, rest: words.slice(count)}
  }
  throw new Error(`no command ${words.join(' ')}`)
}

for (const {environment, input, only, output, words} of JSON.parse(readFileSync(tasksFile, 'utf8'))) {
  Object.assign(process.env, environment)
  Object.defineProperty(process, 'stdin', {configurable: true, value: Readable.from([Buffer.from(input ?? '')])})
  process.exitCode = undefined
  const begun = performance.now()
  const result = await captured(async () => {
    const {command, rest} = commandOf(words)
    const Command = await command.load()
    if (only === 'parse') await new Command(rest, config).parse(Command)
    else await Command.run(rest, config)
  })
  if (output !== null && result.code === 0) writeFileSync(output, result.stdout)
  results.push({...result, milliseconds: Math.round(performance.now() - begun)})
}
writeFileSync(resultsFile, JSON.stringify(results))
process.exit(0)
