/** What operations on sequences promise: padding on the right changes nothing, and a sequence may be taken in parts. */
import * as tf from '@tensorflow/tfjs-core'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {type Call, type Cotangent, evaluate, gradientName, randomCotangent, type Results} from '../support/evaluate.js'
import {mapNamed, type Named, normals, sizeOf, type Values} from '../support/values.js'
import {onEachBackend, type Subject, wantedOf} from './subject.js'

/**
 * Puts `extra` random steps behind the inputs named in `steps` and compares what belongs to the steps before: outputs and
 * gradients of these inputs bit for bit, gradients of the others (sums over steps) bit for bit too unless `rounded`.
 */
export async function faultsOfPadding(
  subject: Subject,
  inputs: Named,
  steps: readonly string[],
  {extra, rounded = false}: {extra: number; rounded?: boolean},
): Promise<Faults> {
  const normal = normals('padding')
  const [batch, length] = inputs[steps[0]].shape
  const padded = mapNamed(inputs, (value, name) => (steps.includes(name) ? padSteps(value, extra, normal) : value))
  const wanted = wantedOf(subject, inputs)
  const isStepwise = (name: string): boolean => name === 'y' || steps.some((step) => gradientName(step) === name)
  return onEachBackend(async () => {
    const expected = await evaluate(subject.call, inputs, wanted, onlyOfSteps(batch, length, 0))
    const results = await evaluate(subject.call, padded, wanted, onlyOfSteps(batch, length, extra))
    const stepwise: Results = {}
    const others: Results = {}
    for (const [name, values] of Object.entries(results)) {
      if (isStepwise(name)) stepwise[name] = headSteps(values, batch, length, extra)
      else if (name !== 'last') others[name] = values
    }
    const pick = (names: Results): Results => mapNamed(names, (_, name) => expected[name])
    const compareOthers = rounded ? faultsOf : bitFaultsOf
    return {...bitFaultsOf(stepwise, pick(stepwise)), ...compareOthers(others, pick(others))}
  }, subject)
}

/** The sequence taken in two parts, the second of which starts from the first's `last`: values bit for bit. */
export async function faultsOfSplitting(
  subject: Subject,
  inputs: Named,
  steps: readonly string[],
  state: string,
  at: number,
  compare: typeof bitFaultsOf = bitFaultsOf,
): Promise<Faults> {
  const wanted = wantedOf(subject, inputs)
  const length = inputs[steps[0]].shape[1]
  const inParts: Call = (tensors) => {
    const part = (from: number, size: number): Record<string, tf.Tensor> =>
      Object.fromEntries(steps.map((name) => [name, tf.slice(tensors[name], [0, from, 0], [-1, size, -1])]))
    const first = subject.call({...tensors, ...part(0, at)})
    const second = subject.call({...tensors, ...part(at, length - at), [state]: first.last})
    return {last: second.last, y: tf.concat([first.y, second.y], 1)}
  }
  return onEachBackend(async () => {
    const {last, y, ...gradients} = await evaluate(subject.call, inputs, wanted)
    const {last: lastOfParts, y: yOfParts, ...gradientsOfParts} = await evaluate(inParts, inputs, wanted)
    return {...compare({last: lastOfParts, y: yOfParts}, {last, y}), ...faultsOf(gradientsOfParts, gradients)}
  }, subject)
}

/** A random cotangent of the first `length` steps of `y`, zero elsewhere: the loss does not look at padding. */
function onlyOfSteps(batch: number, length: number, extra: number): Cotangent {
  return (name, size) => {
    if (name !== 'y') return new Float32Array(size)
    const columns = size / batch / (length + extra)
    const head = {data: randomCotangent(name, batch * length * columns), shape: [batch, length, columns]}
    return padSteps(head, extra, () => ({data: new Float32Array(batch * extra * columns), shape: []}))
      .data as Float32Array
  }
}

function padSteps({data, shape}: Values, extra: number, filler: (shape: readonly number[]) => Values): Values {
  const [batch, length, columns] = shape
  const tail = filler([batch, extra, columns]).data
  const whole = new Float32Array(sizeOf([batch, length + extra, columns]))
  for (let s = 0; s < batch; s++) {
    whole.set(data.subarray(s * length * columns, (s + 1) * length * columns), s * (length + extra) * columns)
    whole.set(tail.subarray(s * extra * columns, (s + 1) * extra * columns), (s * (length + extra) + length) * columns)
  }
  return {data: whole, shape: [batch, length + extra, columns]}
}

function headSteps(values: Float32Array, batch: number, length: number, extra: number): Float32Array {
  const columns = values.length / batch / (length + extra)
  return values.filter((_, index) => Math.floor(index / columns) % (length + extra) < length)
}
