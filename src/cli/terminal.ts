/**
 * What an output stream can show: whether a line on it may be repainted, whether it takes colours, and which signs it can draw.
 * The decision is made here once, from the stream and the environment, so that spinner, bar, tables and errors agree.
 */

export type Environment = Readonly<Record<string, string | undefined>>

/** What is needed of `process.stdout` and `process.stderr`, so that tests can stand in for them. */
export type OutputStream = NodeJS.WritableStream & {readonly columns?: number; readonly isTTY?: boolean}

export type Paint = (text: string) => string

export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly green: Paint
  readonly red: Paint
  readonly yellow: Paint
}

export interface Signs {
  readonly cross: string
  readonly full: string
  readonly empty: string
  readonly dot: string
  readonly tick: string
}

const SELECT_GRAPHIC_RENDITION = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
} as const

const UNICODE_SIGNS: Signs = {cross: '✖', dot: '·', empty: '░', full: '█', tick: '✔'}
const ASCII_SIGNS: Signs = {cross: 'x', dot: '-', empty: '.', full: '#', tick: '+'}

/**
 * A person is watching and lines can be repainted: a terminal, not a pipe, not a build server. A pseudo-terminal that says it
 * has 0 columns (a container before it is attached) cannot be repainted either: every line would take infinitely many rows.
 */
export function isInteractive(stream: OutputStream, env: Environment): boolean {
  return isWatched(stream, env) && stream.columns !== 0 && env['TERM'] !== 'dumb'
}

/** `FORCE_COLOR` wins over `NO_COLOR`, as in Node itself; otherwise colours go to a watched terminal only. */
export function hasColour(stream: OutputStream, env: Environment): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return isWatched(stream, env) && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === ''
}

export function createStyle(colour: boolean): Style {
  const paint = (name: keyof typeof SELECT_GRAPHIC_RENDITION): Paint => {
    const [on, off] = SELECT_GRAPHIC_RENDITION[name]
    return colour ? (text) => `\u001B[${on}m${text}\u001B[${off}m` : (text) => text
  }

  return {bold: paint('bold'), dim: paint('dim'), green: paint('green'), red: paint('red'), yellow: paint('yellow')}
}

/** The Linux console and the old Windows console lack the signs that every other terminal has. */
export function signsFor(env: Environment, platform: NodeJS.Platform): Signs {
  const oldWindows = platform === 'win32' && !env['WT_SESSION'] && !env['TERM_PROGRAM'] && !env['TERM']
  return oldWindows || env['TERM'] === 'linux' ? ASCII_SIGNS : UNICODE_SIGNS
}

function isWatched(stream: OutputStream, env: Environment): boolean {
  return stream.isTTY === true && !isContinuousIntegration(env)
}

function isContinuousIntegration(env: Environment): boolean {
  const value = env['CI'] ?? ''
  return value !== '' && value !== 'false' && value !== '0'
}
