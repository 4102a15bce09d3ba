/**
 * Chooses how progress is shown: one repainted line on a watched terminal, plain lines without control codes anywhere else.
 * Everything goes to the stream it is given, which is stderr: stdout is for results.
 */
import {PlainReporter} from './plain-progress.js'
import {type Clock, type Reporter} from './reporter.js'
import {type Environment, hasColour, isInteractive, type OutputStream, signsFor} from './terminal.js'

export type {Bar, BarUpdate, Reporter, Step} from './reporter.js'

export interface ReporterOptions {
  readonly env: Environment
  readonly platform: NodeJS.Platform
  readonly stream: OutputStream
  readonly clock?: Clock
}

/** The live reporter, and with it ora, is loaded only where there is a terminal to repaint. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  const {clock = (): number => performance.now(), env, platform, stream} = options
  const display = {clock, colour: hasColour(stream, env), signs: signsFor(env, platform), stream}
  if (!isInteractive(stream, env)) return new PlainReporter(display)

  const {LiveReporter} = await import('./live-progress.js')
  return new LiveReporter(display)
}
