/**
 * Emscripten starts eight workers before TensorFlow.js's threaded build runs, however few threads are asked for: half a
 * second of a processor, since each compiles its own copy of the glue. While a backend starts, those beyond the threads
 * asked for are stand-ins that say that they are ready, and are taken out of the pool afterwards.
 */
import {EventEmitter} from 'node:events'
import workerThreads, {Worker} from 'node:worker_threads'

/** Workers that the build is compiled for, its PTHREAD_POOL_SIZE; XNNPACK uses no more. */
export const POOL_SIZE = 8

/** What Emscripten's glue does with a worker that has nothing to run. */
class StandIn extends EventEmitter {
  postMessage({cmd}: {readonly cmd: string}): void {
    if (cmd === 'load') queueMicrotask(() => this.emit('message', {cmd: 'loaded'}))
  }

  unref(): void {}

  terminate(): Promise<number> {
    return Promise.resolve(0)
  }
}

/**
 * Runs `start`, in which Emscripten makes its pool of workers that run `script`, with `threads` true ones in it: the last, which
 * it takes first. Workers that anybody else starts meanwhile are what they are.
 */
export async function withFewWorkers<Result>(
  {script, threads}: {readonly script: string; readonly threads: number},
  start: () => Promise<Result>,
): Promise<Result> {
  let standIns = POOL_SIZE - Math.min(threads, POOL_SIZE)
  // `function`, because it is called with `new`.
  const make = function (...args: ConstructorParameters<typeof Worker>): object {
    if (args[0] !== script || standIns === 0) return new Worker(...args)
    standIns -= 1
    return new StandIn()
  } as unknown as typeof Worker
  workerThreads.Worker = make
  try {
    return await start()
  } finally {
    workerThreads.Worker = Worker
    // The glue makes a global of it, from which it takes workers later.
    const global = globalThis as {Worker?: unknown}
    if (global.Worker === make) global.Worker = Worker
  }
}

/** The workers of a pool that are threads. */
export function trueWorkers<Kind>(workers: readonly Kind[]): Kind[] {
  return workers.filter((worker) => !(worker instanceof StandIn))
}
