/** Puts a failure where its reader looks for it: one JSON object on stdout for a program, text on stderr for a person. */
import {type Failure, formatFailure, UNEXPECTED_EXIT} from './failure.js'
import {isError} from './is-error.js'
import {createStyle, hasColour, signsFor} from './terminal.js'

export async function printFailure(failure: Failure, error: unknown, json: boolean): Promise<void> {
  const {env, platform, stderr, stdout} = process
  if (json) {
    stdout.write(`${JSON.stringify({error: failure}, null, 2)}\n`)
  } else {
    stderr.write(`${formatFailure(failure, createStyle(hasColour(stderr, env)), signsFor(env, platform))}\n`)
  }

  if (failure.exit === UNEXPECTED_EXIT && env['DEBUG'] && isError(error)) stderr.write(`${error.stack}\n`)
  await flushed(stdout)
}

/** oclif ends the process after an error, which would cut off what a slow reader of a pipe has not taken yet. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve))
}
