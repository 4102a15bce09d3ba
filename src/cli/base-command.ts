/**
 * What all commands share: the one place that prints results and errors and turns an error into an exit code.
 * Results go to stdout; progress and errors go to stderr. With `--json` stdout gets exactly one object, error or not.
 * Nothing heavy is imported here, because oclif loads every command to print the help.
 */
import {Command, Errors, type Interfaces} from '@oclif/core'

import {type Device, type DeviceChoice, type DeviceOptions} from '../backend/devices.js'
import {type EventStream} from './event-stream.js'
import {describeFailure} from './failure.js'
import {printFailure} from './print-failure.js'
import {createReporter, type Reporter} from './progress.js'

export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  #reporter: Reporter | null = null
  #device: Device | null = null
  #events: EventStream | null = null

  /** An argument that is left out is left out: oclif would take what a script pipes in for it. */
  protected override parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv = this.argv): Promise<Interfaces.ParserOutput<F, B, A>> {
    const args: Interfaces.ArgInput = options?.args ?? {}
    for (const argument of Object.values(args)) argument.ignoreStdin = true
    return super.parse(options, argv)
  }

  /** A line of the result. Silent with `--json`. */
  protected out(line = ''): void {
    this.write(`${line}\n`)
  }

  /** A piece of the result, for text that arrives token by token. Silent with `--json`. */
  protected write(text: string): void {
    if (!this.jsonEnabled() && !this.#events?.isOnStdout) process.stdout.write(text)
  }

  /** Spinner, bar and notes on stderr; the same reporter at every call. */
  protected async progress(): Promise<Reporter> {
    this.#reporter ??= await createReporter({env: process.env, platform: process.platform, stream: process.stderr})
    return this.#reporter
  }

  /** Where `--events` wants the events of a run; an error that ends the command is the last of them. */
  protected async events(target: string | undefined): Promise<EventStream> {
    const {EventStream} = await import('./event-stream.js')
    this.#events = EventStream.open(target, this.jsonEnabled())
    return this.#events
  }

  /** Starts a device that ends with the command: an open GPU would keep the program from ending. */
  protected async startDevice(choice: DeviceChoice, options?: DeviceOptions): Promise<Device> {
    const {startDevice} = await import('../backend/devices.js')
    this.#device = await startDevice(choice, options)
    return this.#device
  }

  /** Prints the error and leaves with its exit code; oclif prints nothing for the ExitError that `exit` throws. */
  protected override async catch(error: Error): Promise<never> {
    this.#reporter?.stop()
    if (error instanceof Errors.ExitError) throw error

    const failure = describeFailure(error, {
      argv: this.argv,
      bin: this.config.bin,
      command: (this.id ?? '').replaceAll(':', ' '),
      parsed: this.parsed,
    })
    this.#events?.failed(failure)
    await printFailure(failure, error, this.jsonEnabled())
    return this.exit(failure.exit)
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.#reporter?.stop()
    this.#device?.close()
    await super.finally(error)
  }

  /** oclif colours JSON token by token, which takes half a second for the ids of a long text. */
  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  }
}
