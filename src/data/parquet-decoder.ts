/**
 * Parquet is decoded in a process of its own, where a damaged file can neither keep this one busy for ever nor end it: 178 bytes can
 * ask hyparquet for more values than V8 has room for, which no thread survives. One that takes too much time or memory is ended,
 * and the file refused. A process that is done waits for the next file, for a while.
 */
import {type ChildProcess, fork} from 'node:child_process'
import {setTimeout as startTimer} from 'node:timers'
import {fileURLToPath} from 'node:url'

/** Milliseconds that a process without a file is kept. */
const KEPT = 2000

interface Failure {
  readonly message: string
  /** Of errors of the file system only */
  readonly errno?: number
}

export type Decoded =
  | {readonly rows: readonly unknown[]; readonly isLast: boolean; readonly failure?: undefined}
  | {readonly failure: Failure}

export class ParquetDecoder {
  private static idle: ParquetDecoder | null = null
  private isBusy = false
  private isOver = false
  private readonly child: ChildProcess
  private timer: NodeJS.Timeout | undefined

  /** @param memory MiB of what is decoded at a time, as objects */
  private constructor(private readonly memory: number) {
    this.child = fork(fileURLToPath(new URL('parquet-process.mjs', import.meta.url)), {
      execArgv: [`--max-old-space-size=${memory}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // what V8 prints as it ends says nothing to a user
    })
    this.child.on('error', () => {}) // without a file, a process that fails is nobody's loss
  }

  /** One that is idle, or a new one; `memory` is MiB of a row group, as objects. */
  static take(memory: number): ParquetDecoder {
    const {idle} = ParquetDecoder
    const decoder = idle?.child.connected && idle.memory === memory ? idle : new ParquetDecoder(memory)
    if (decoder === idle) ParquetDecoder.idle = null
    clearTimeout(decoder.timer)
    decoder.child.ref()
    decoder.child.channel?.ref()
    return decoder
  }

  /** The first rows of a file, or without one the next. A failure is of the file; it takes `patience` milliseconds at most. */
  async decode(file: string | null, patience: number): Promise<Decoded> {
    let answered: (decoded: Decoded) => void = () => {}
    const answer = new Promise<Decoded>((resolve) => (answered = resolve))
    const fail = (message: string): void => {
      this.isOver = true
      answered({failure: {message}})
    }
    // V8 leaves with a signal, or with the code that stands for one.
    const onEnd = (code: number | null): void =>
      fail(
        code === null || code > 128
          ? `what it says to hold does not fit into ${this.memory} MiB of memory`
          : 'decoding it failed',
      )
    const onError = ({message}: Error): void => fail(message)
    const timer = startTimer(() => fail(`it was not decoded in ${Math.ceil(patience / 1000)} s`), patience)
    this.isBusy = true
    this.child.once('message', answered).once('exit', onEnd).once('error', onError)
    this.child.send({file})
    const decoded = await answer
    this.isBusy = false
    clearTimeout(timer)
    this.child.off('message', answered).off('exit', onEnd).off('error', onError)
    return decoded
  }

  /** Afterwards the process belongs to the next file, or is ended if it failed or is at work. */
  release(): void {
    if (this.isBusy || this.isOver || ParquetDecoder.idle) {
      this.end()
      return
    }
    ParquetDecoder.idle = this
    this.child.unref()
    this.child.channel?.unref()
    this.timer = startTimer(() => {
      ParquetDecoder.idle = null
      this.end()
    }, KEPT).unref()
  }

  private end(): void {
    this.child.kill('SIGKILL')
  }
}
