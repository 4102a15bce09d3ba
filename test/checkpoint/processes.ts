/** Processes for tests of locks: those that a test says there are. */
import {type Processes} from '../../src/checkpoint/directory-lock.js'

/** `alive` holds the start of each process by its number. */
export function processesOf(pid: number, alive: Readonly<Record<number, string | null>>): Processes {
  return {
    isAlive: (other) => other in alive,
    pid,
    startOf: (other) => Promise.resolve(alive[other] ?? null),
  }
}
