/** Finds models and tokenizers for a command, by path or by name on the hub, and shows what is downloaded. */
import {homedir} from 'node:os'
import {type HubEvent, type HubOptions} from '../checkpoint/hub/hub-model.js'
import {hubSettings} from '../checkpoint/hub/hub-settings.js'
import {type LocatedModel} from '../checkpoint/hub/locate.js'
import {interruptSignal} from './interrupt.js'
import {type Bar, type Reporter} from './reporter.js'

export interface Wanted {
  /** Another tokenizer than the model's own */
  readonly tokenizer?: string | null | undefined
  /** Config and tokenizer are enough. */
  readonly small?: boolean
}

/** A model that is wanted without a tokenizer. */
export async function findModel(model: string, reporter: Reporter): Promise<LocatedModel & {tokenizer: null}> {
  const {locateModel} = await import('../checkpoint/hub/locate.js')
  return onHub(reporter, async (options) => ({...(await locateModel(model, options)), tokenizer: null}))
}

/** A model, and the directory of its tokenizer. */
export async function findModelAndTokenizer(
  model: string,
  wanted: Wanted,
  reporter: Reporter,
): Promise<LocatedModel & {tokenizer: string}> {
  const {locateModel, locateTokenizer} = await import('../checkpoint/hub/locate.js')
  return onHub(reporter, async (options) => {
    const located = await locateModel(model, {...options, small: wanted.small ?? false})
    return {...located, tokenizer: await locateTokenizer(located, wanted.tokenizer ?? null, options)}
  })
}

/** With the settings of the environment, Ctrl+C, and a bar for each file that is downloaded. */
export async function onHub<Result>(
  reporter: Reporter,
  work: (options: HubOptions) => Promise<Result>,
): Promise<Result> {
  const progress = new HubProgress(reporter)
  const {dispose, signal} = interruptSignal()
  try {
    return await work({report: (event) => progress.show(event), settings: hubSettings(process.env, homedir()), signal})
  } finally {
    progress.stop()
    dispose()
  }
}

const inMegabytes = (bytes: number): number => Math.ceil(bytes / 1e6)

class HubProgress {
  private bar: {readonly file: string; readonly bar: Bar} | null = null

  constructor(private readonly reporter: Reporter) {}

  show(event: HubEvent): void {
    if (event.event === 'note') return this.note(event.text)
    const {done, file, total} = event
    // Files that were there before, and those that arrive at once, need no bar.
    if (this.bar?.file !== file && done === total) return
    if (this.bar?.file !== file) {
      this.stop()
      this.bar = {bar: this.reporter.bar(inMegabytes(total), `downloading ${file}, MB`), file}
    }
    this.bar?.bar.update({done: inMegabytes(done)})
  }

  stop(): void {
    this.bar?.bar.stop()
    this.bar = null
  }

  private note(text: string): void {
    this.stop()
    this.reporter.note(text)
  }
}
