/** One worker thread of the kernel pool: waits for a launch, takes work items until none is left. See kernel-pool.ts. */
import {workerData} from 'node:worker_threads'

const {argumentsBuffer, control, memory, module, names, thread} = workerData
const state = new Int32Array(control)
const values = new Float64Array(argumentsBuffer)
const {exports} = new WebAssembly.Instance(module, {env: {memory}})

// The layout of `control` is written down in kernel-pool.ts.
let generation = 0
for (;;) {
  Atomics.wait(state, 0, generation)
  generation = Atomics.load(state, 0)
  const kernel = exports[names[state[3]]]
  const items = state[4]
  const parameters = values.subarray(0, state[5])
  try {
    for (let item = Atomics.add(state, 1, 1); item < items; item = Atomics.add(state, 1, 1)) {
      kernel(...parameters, item, thread)
    }
  } catch {
    Atomics.store(state, 6, 1) // the caller throws; without the count below it would wait for ever
  }
  if (Atomics.sub(state, 2, 1) === 1) Atomics.notify(state, 2)
}
