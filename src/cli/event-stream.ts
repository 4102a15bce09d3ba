/** `--events`: everything that happens in a run as one JSON object a line, as it happens, in a file or on stdout. */
import {Flags} from '@oclif/core'
import {closeSync, openSync, writeSync} from 'node:fs'
import {FileError, UsageError} from '../errors.js'
import {type RunEvent} from '../recipe/run-options.js'
import {RunningAverage} from '../report/running-average.js'
import {type Failure} from './failure.js'
import {RemainingTime} from './remaining-time.js'
import {type TrainReport} from './train-report.js'

/** Fields of schema version 1: src/report/event-lines.ts, which a program that only writes them need not load. */
const VERSION = 1
const STDOUT = '-'

export const eventsFlag = Flags.string({
  description:
    'Write everything that happens as one JSON object a line into this file, at its end, or with - to standard output instead of the result. mambatune runs schema has the fields.',
  helpValue: 'FILE|-',
})

export class EventStream {
  private readonly average = new RunningAverage()
  private remaining: RemainingTime | null = null
  private steps = 0

  private constructor(
    private readonly file: number | null,
    readonly isOnStdout: boolean,
  ) {}

  /** Errors: UsageError with --json on the same stream, FileError. */
  static open(target: string | undefined, json: boolean): EventStream {
    if (target === undefined) return new EventStream(null, false)
    if (target === STDOUT && json) {
      throw new UsageError('--events - and --json both want standard output.', {
        hint: 'Leave --json out (the last event has what it prints), or name a file: --events events.jsonl',
      })
    }
    if (target === STDOUT) return new EventStream(process.stdout.fd, true)
    try {
      return new EventStream(openSync(target, 'a'), false)
    } catch (error) {
      const {code} = error as NodeJS.ErrnoException
      throw new FileError(`The file for events ${target} cannot be written: ${String(code)}.`, {
        cause: error,
        hint: 'Name a file in a directory that exists.',
      })
    }
  }

  start(command: 'resume' | 'train', version: string, run: string): void {
    this.write({event: 'start', command, run, version})
  }

  run(event: RunEvent): void {
    if (this.file === null) return
    if (event.event === 'plan') {
      this.steps = event.steps
      this.remaining = new RemainingTime(event.steps, performance.now(), event.done)
    }
    this.write(event.event === 'step' ? {...event, ...this.outlook(event)} : event)
  }

  end({out, ...report}: TrainReport): void {
    this.write({event: 'end', run: out, ...report})
    this.close()
  }

  failed(failure: Failure): void {
    this.write({event: 'error', ...failure})
    this.close()
  }

  private outlook({loss, step}: {readonly loss: number; readonly step: number}): Record<string, unknown> {
    const now = performance.now()
    this.remaining?.observe(step, now)
    return {
      eta_s: this.remaining?.seconds(now) ?? null,
      loss_average: this.average.add(loss),
      percent: (100 * step) / this.steps,
    }
  }

  private write(line: object): void {
    if (this.file === null) return
    const text = `${JSON.stringify({v: VERSION, time: new Date().toISOString(), ...line})}\n`
    // Not writeSync for stdout: a pipe that is full would be an error there.
    if (this.isOnStdout) process.stdout.write(text)
    else writeSync(this.file, text)
  }

  private close(): void {
    if (this.file !== null && !this.isOnStdout) closeSync(this.file)
  }
}
