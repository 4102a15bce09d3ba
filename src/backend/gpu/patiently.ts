/**
 * Waiting for the GPU. While Dawn owes an answer, its Node addon asks for it in every turn of the event loop, which keeps a
 * processor busy: one that a software GPU computes on. So turns are made longer, by a sixteenth of the time waited so far.
 */

/** Milliseconds that a turn is made longer at most: what a wait is longer by. */
const LONGEST = 0.25

const never = new Int32Array(new SharedArrayBuffer(4))

/** The answer. The event loop goes on meanwhile, a quarter of a millisecond late at most. */
export async function patiently<Answer>(answer: Promise<Answer>): Promise<Answer> {
  let waiting = true
  const settled = (): void => {
    waiting = false
  }
  answer.then(settled, settled)
  const began = performance.now()
  while (waiting) {
    await new Promise(setImmediate)
    if (waiting) Atomics.wait(never, 0, 0, Math.min(LONGEST, (performance.now() - began) / 16))
  }
  return answer
}
