/** No operation hides a NaN: checks that return the places where one got lost, or came from nowhere. */
import {type Faults, faultsOf, prefixed} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {evaluate, gradientName, randomCotangent} from '../support/evaluate.js'
import {type Named, type Values} from '../support/values.js'
import {onEachBackend, type Subject, wantedOf} from './subject.js'

/** Two kinds of NaN: a kernel that takes a float's bits apart could turn one into a number and not the other. */
const NANS = {'as hardware makes it': 0x7f_c0_00_00, 'with all bits set': 0xff_ff_ff_ff}

/**
 * One NaN in each input in turn: exactly those values of the outputs are NaN that are NaN by the f64 function, and some
 * gradient is NaN, unless no gradient depends on that input.
 */
export async function faultsOfNan(
  subject: Subject,
  inputs: Named,
  index: number,
  withoutEffect: readonly string[] = [],
): Promise<Faults> {
  const wanted = wantedOf(subject, inputs)
  return onEachBackend(async () => {
    const faults: Faults = {}
    for (const [kind, bits] of Object.entries(NANS)) {
      for (const name of wanted) {
        const spoilt = {...inputs, [name]: withBits(inputs[name], index, bits)}
        const expected = nanMaps(subject.exact(spoilt))
        const results = await evaluate(subject.call, spoilt, wanted)
        const actual = nanMaps(Object.fromEntries(Object.keys(expected).map((output) => [output, results[output]])))
        Object.assign(faults, prefixed(`NaN ${kind} in ${name}:`, faultsOf(actual, expected)))
        const isSeen = wanted.some((input) => results[gradientName(input)].some(Number.isNaN))
        if (!isSeen && !withoutEffect.includes(name)) faults[`NaN ${kind} in ${name}:`] = 'no gradient is NaN'
      }
    }
    return faults
  }, subject)
}

/** Gradients without any NaN although the cotangent of `output` has one. */
export async function gradientsWithoutNan(
  subject: Subject,
  inputs: Named,
  output: string,
  index = 0,
): Promise<string[]> {
  const wanted = wantedOf(subject, inputs)
  const quiet: string[] = []
  for (const backend of subject.backends ?? EVERY_BACKEND) {
    await useBackend(backend)
    const results = await evaluate(subject.call, inputs, wanted, (name, size) => {
      const cotangent = randomCotangent(name, size)
      if (name === output) cotangent[index] = Number.NaN
      return cotangent
    })
    for (const name of wanted) {
      if (!results[gradientName(name)].some(Number.isNaN)) quiet.push(`${backend} ${gradientName(name)}`)
    }
  }
  return quiet
}

/** 1 where a value is NaN, else 0. */
function nanMaps(arrays: Readonly<Record<string, Float32Array | Float64Array>>): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, values]) => [name, Array.from(values, (value) => Number(Number.isNaN(value)))]),
  )
}

function withBits({data, shape}: Values, index: number, bits: number): Values {
  const copy = Float32Array.from(data)
  new Uint32Array(copy.buffer)[index] = bits
  return {data: copy, shape}
}
