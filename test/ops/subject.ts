/**
 * An operation as the tests see it, and the checks that every operation has to pass. Each check returns faults by name:
 * `wasm dDelta` is the gradient of `delta` on that backend.
 */
import {bitFaultsOf, type Faults, faultsOf, prefixed} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {type Call, evaluate, type Results} from '../support/evaluate.js'
import {numericFaults} from '../support/numeric-differences.js'
import {type Named, type Numbers} from '../support/values.js'

export interface Subject {
  readonly name: string
  readonly call: Call
  /** The same in TensorFlow.js operations, which TensorFlow.js differentiates. */
  readonly meaning: Call
  /** The same as a plain f64 function. */
  readonly exact: (inputs: Named) => Numbers
  /** Inputs that have a gradient; optional ones may be absent. */
  readonly differentiable: readonly string[]
  /** Those that it runs on; all of them if left out. */
  readonly backends?: readonly Backend[]
}

type Backend = (typeof EVERY_BACKEND)[number]

export function wantedOf({differentiable}: Subject, inputs: Named): string[] {
  return differentiable.filter((name) => name in inputs)
}

/** Value and every gradient against TensorFlow.js's differentiation of the meaning (on `cpu`, which has all gradients). */
export async function faultsAgainstMeaning(subject: Subject, inputs: Named): Promise<Faults> {
  const wanted = wantedOf(subject, inputs)
  await useBackend('cpu')
  const expected = await evaluate(subject.meaning, inputs, wanted)
  return onEachBackend(async () => faultsOf(await evaluate(subject.call, inputs, wanted), expected), subject)
}

/** Value against the f64 function, every gradient against its numeric differences. */
export async function faultsAgainstNumbers(subject: Subject, inputs: Named): Promise<Faults> {
  const wanted = wantedOf(subject, inputs)
  const values = subject.exact(inputs)
  return onEachBackend(async () => {
    const results = await evaluate(subject.call, inputs, wanted)
    const outputs = Object.fromEntries(Object.keys(values).map((name) => [name, results[name]]))
    return {...faultsOf(outputs, values), ...numericFaults(subject.exact, inputs, wanted, results)}
  }, subject)
}

/** Value and every gradient of a second run, bit for bit. */
export async function faultsOfRepeating(subject: Subject, inputs: Named): Promise<Faults> {
  const run = (): Promise<Results> => evaluate(subject.call, inputs, wantedOf(subject, inputs))
  return onEachBackend(async () => bitFaultsOf(await run(), await run()), subject)
}

/** Runs a check on every backend of the subject; the names of its faults begin with the backend's. */
export async function onEachBackend(
  check: () => Promise<Faults>,
  {backends = EVERY_BACKEND}: Pick<Subject, 'backends'>,
): Promise<Faults> {
  const faults: Faults = {}
  for (const backend of backends) {
    await useBackend(backend)
    Object.assign(faults, prefixed(backend, await check()))
  }
  return faults
}
