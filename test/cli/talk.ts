/** Runs the built program at a pseudo-terminal and types, as a user does who waits for what is asked. */
import {spawn} from '@lydell/node-pty'
import path from 'node:path'
import {repository} from './run-command.js'

export interface TalkOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Talk {
  readonly code: number
  /** All that has come to the screen, control codes included */
  readonly seen: string
}

/** Types each text when what it waits for has appeared since the one before; gives the screen and the exit code. */
export async function talk(
  args: readonly string[],
  typing: readonly (readonly [waitFor: string, type: string])[],
  {cwd = repository, env: more = {}}: TalkOptions = {},
): Promise<Talk> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'CI'))
  const terminal = spawn(process.execPath, [path.join(repository, 'bin', 'run.js'), ...args], {
    cols: 100,
    cwd,
    env: {...env, NO_COLOR: '1', TERM: 'xterm', ...more},
    rows: 40,
  })
  const left = [...typing]
  let [fresh, seen] = ['', '']
  terminal.onData((data) => {
    seen += data
    fresh += data
    for (let [next] = left; next && fresh.includes(next[0]); [next] = left) {
      left.shift()
      fresh = fresh.slice(fresh.indexOf(next[0]) + next[0].length)
      if (next[1] !== '') terminal.write(next[1])
    }
  })
  const limit = setTimeout(() => terminal.kill('SIGKILL'), 60_000)
  const code = await new Promise<number>((resolve) => terminal.onExit(({exitCode}) => resolve(exitCode)))
  clearTimeout(limit)
  if (left.length > 0) {
    throw new Error(`never saw ${JSON.stringify(left[0][0])} in ${JSON.stringify(seen.slice(-1000))}`)
  }
  return {code, seen}
}
