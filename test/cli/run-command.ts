/** Runs the built program as a user does, in a process of its own, and gives back what came out of it. */
import {execFile} from 'node:child_process'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

export interface RunOptions {
  readonly cwd?: string
  /** Added to an environment without colours, `CI` and `DEBUG`. */
  readonly env?: Readonly<Record<string, string>>
  /** What the program reads from stdin; nothing when left out. */
  readonly input?: string
}

export interface RunResult {
  /** Its exit code; -1 when a signal ended it or it hung. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Milliseconds after which a program that hangs is ended. */
const LIMIT = 100_000

const UNSET = ['CI', 'DEBUG', 'FORCE_COLOR', 'NO_COLOR', 'NODE_ENV', 'NODE_OPTIONS']

export function runCommand(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return runNode([join(repository, 'bin', 'run.js'), ...args], options)
}

export function runNode(
  args: readonly string[],
  {cwd = repository, env = {}, input = ''}: RunOptions = {},
): Promise<RunResult> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !UNSET.includes(name)))
  return new Promise((resolve) => {
    const settings = {
      cwd,
      env: {...inherited, TERM: 'xterm', ...env},
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 * 1024 * 1024,
      timeout: LIMIT,
    }
    const child = execFile(process.execPath, args, settings, (error, stdout, stderr) => {
      resolve({code: error === null ? 0 : Number(error.code ?? -1), stderr, stdout})
    })
    // A program that leaves before it has read everything closes the pipe; its exit code says the rest.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
