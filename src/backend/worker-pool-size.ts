/**
 * Emscripten starts eight workers before TensorFlow.js's threaded build runs, however few threads are asked for: half a
 * second of a processor, since each compiles its own copy of the glue. While a backend starts, those beyond the threads
 * asked for are stand-ins that say that they are ready, and are taken out of the pool afterwards.
 */
import {EventEmitter} from 'node:events'
import workerThreads from 'node:worker_threads'

/** PTHREAD_POOL_SIZE of the build. */
const POOL = 8

/** What Emscripten's glue does with a worker that has nothing to run. */
class StandIn extends EventEmitter {
  postMessage({cmd}: {readonly cmd: string}): void {
    if (cmd === 'load') queueMicrotask(() => this.emit('message', {cmd: 'loaded'}))
  }

  unref(): void {}
}

/** Runs `start`, in which Emscripten makes its pool, with `threads` true workers in it, the last ones, which it takes first. */
export async function withFewWorkers<Result>(threads: number, start: () => Promise<Result>): Promise<Result> {
  const {Worker} = workerThreads
  let standIns = POOL - Math.min(threads, POOL)
  const make = (...args: ConstructorParameters<typeof Worker>): object => {
    standIns -= 1
    return standIns >= 0 ? new StandIn() : new Worker(...args)
  }
  // `function`, because it is called with `new`.
  workerThreads.Worker = function (...args: ConstructorParameters<typeof Worker>) {
    return make(...args)
  } as unknown as typeof Worker
  try {
    return await start()
  } finally {
    workerThreads.Worker = Worker
    // The glue makes a global of it, from which it takes workers later.
    Object.assign(globalThis, {Worker})
  }
}

/** The workers of a pool that are threads. */
export function trueWorkers<Kind>(workers: readonly Kind[]): Kind[] {
  return workers.filter((worker) => !(worker instanceof StandIn))
}
