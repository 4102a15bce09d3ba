/** The SSD scan on the GPU: lengths at which chunks end, sizes that fill blocks and that do not, and how inputs may be stored. */
import {expect, test} from '@jest/globals'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {defineFusion, type GpuDefinition} from '../../src/ops/operation.js'
import {ssdScanOnGpu} from '../../src/ops/ssd-scan/ssd-scan.gpu.js'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate, valuesOf} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs, sliced} from '../support/stored.js'
import {SSD_DIFFERENTIABLE, ssdInputs, type SsdLimits, ssdMeaning, type SsdSizes, UNLIMITED} from './ssd-meaning.js'

/** The operation's shaders, on a device that has other `facts`. */
function onGpu({groups, heads}: SsdSizes, limits: SsdLimits = UNLIMITED, facts: Partial<DeviceFacts> = {}): Call {
  const changed = (host: ShaderHost): ShaderHost =>
    Object.create(host, {facts: {value: {...host.facts, ...facts}}}) as ShaderHost
  const {gradient, value} = ssdScanOnGpu
  const gpu: GpuDefinition = {
    gradient: (dys, inputs, settings, host, saved, notes) =>
      gradient(dys, inputs, settings, changed(host), saved, notes),
    value: (inputs, settings, host) => value(inputs, settings, changed(host)),
  }
  const operation = defineFusion({elsewhere: () => [], gpu, name: 'TestSsd'})
  return (tensors) => {
    const [y, last] = operation(tensors, {groups, heads, ...limits})
    return {last, y}
  }
}

const meaningOf =
  (sizes: SsdSizes, limits: SsdLimits = UNLIMITED): Call =>
  (tensors) =>
    ssdMeaning(tensors, sizes, limits)

const wantedOf = ({h0 = true}: SsdSizes): string[] => SSD_DIFFERENTIABLE.filter((name) => h0 || name !== 'h0')

/** The gradients of a and d are a shader of their own, for which some sizes are enough. */
const withoutParameters = (names: readonly string[]): string[] => names.filter((name) => name !== 'a' && name !== 'd')

interface Variant {
  readonly limits?: SsdLimits
  readonly call?: Call
  readonly only?: string
  readonly parameters?: boolean
}

/** Value and every gradient against the meaning, in f32. */
async function faultsFor(
  sizes: SsdSizes,
  {limits, only, parameters = true, call = onGpu(sizes, limits)}: Variant = {},
): Promise<Faults> {
  const inputs = ssdInputs(sizes)
  // Nothing that only the last state depends on has a gradient by c and d.
  const able = wantedOf(sizes).filter((name) => only !== 'last' || (name !== 'c' && name !== 'd'))
  const wanted = parameters ? able : withoutParameters(able)
  const chosen =
    (whole: Call): Call =>
    (tensors) =>
      only ? {[only]: whole(tensors)[only]} : whole(tensors)
  await useBackend('cpu')
  const expected = await evaluate(chosen(meaningOf(sizes, limits)), inputs, wanted)
  await useGpu()
  return faultsOf(await evaluate(chosen(call), inputs, wanted), expected)
}

/** The same in f16: numbers that f16 holds go in, stored as `store` leaves them. */
async function faultsInHalf(sizes: SsdSizes, store: Call): Promise<Faults> {
  const inputs = roundedInputs(ssdInputs(sizes))
  const wanted = withoutParameters(wantedOf(sizes))
  await useBackend('cpu')
  const expected = await evaluate(meaningOf(sizes), inputs, wanted, roundedCotangent)
  await useGpu({precision: 'f16'})
  const call: Call = (tensors) => {
    const {last, y} = onGpu(sizes)({...tensors, ...store(tensors)})
    return {last, y: halved(y)}
  }
  return faultsOf(await evaluate(call, inputs, wanted, roundedCotangent), expected, F16)
}

const SMALL: SsdSizes = {batch: 2, groups: 2, heads: 4, length: 70, size: 8, states: 12}

describeGpu('the SSD scan on the GPU', () => {
  test.each([1, 2, 31, 33, 64, 65, 130])(
    'equals its meaning in value and every gradient for %i steps',
    async (length) => {
      expect(await faultsFor({...SMALL, length})).toEqual({})
    },
  )

  test('takes sizes of several blocks that do not fill them', async () => {
    const sizes = {batch: 1, groups: 1, h0: false, heads: 3, length: 67, size: 69, states: 67}
    expect(await faultsFor(sizes, {parameters: false})).toEqual({})
  })

  test('works in little memory, in shorter chunks', async () => {
    const call = onGpu(SMALL, UNLIMITED, {workgroupBytes: 16_384})
    expect(await faultsFor(SMALL, {call, parameters: false})).toEqual({})
  })

  test.each(['y', 'last'])('has gradients where only %s is used', async (only) => {
    expect(await faultsFor(SMALL, {only})).toEqual({})
  })

  test('reads x, delta, b and c out of wider rows', async () => {
    const call: Call = ({b, c, delta, x, ...rest}) =>
      onGpu(SMALL)({...rest, b: sliced(b), c: sliced(c), delta: sliced(delta), x: sliced(x)})
    expect(await faultsFor(SMALL, {call})).toEqual({})
  })

  test('makes the states of wide models once more, and has no gradient of steps that a limit holds', async () => {
    const sizes = {batch: 1, groups: 1, heads: 64, length: 5, size: 32, states: 4}
    expect(await faultsFor(sizes, {limits: {high: 0.3, low: 0.06}, parameters: false})).toEqual({})
  })

  test.each([1, 4, 16])('decodes %i steps without chunks', async (length) => {
    for (const sizes of [
      {...SMALL, length},
      {batch: 1, groups: 1, h0: false, heads: 3, length, size: 5, states: 70},
      {batch: 2, groups: 2, heads: 4, length, size: 16, states: 16},
    ]) {
      const inputs = ssdInputs(sizes)
      await useBackend('cpu')
      const expected = await valuesOf(meaningOf(sizes), inputs)
      await useGpu()
      expect(faultsOf(await valuesOf(onGpu(sizes), inputs), expected)).toEqual({})
    }
  })

  test('has the same bits again', async () => {
    await useGpu()
    const run = (): ReturnType<typeof evaluate> => evaluate(onGpu(SMALL), ssdInputs(SMALL), wantedOf(SMALL))
    expect(bitFaultsOf(await run(), await run())).toEqual({})
  })

  test('reads and writes f16', async () => {
    const sizes = {...SMALL, heads: 8, states: 16}
    const all: Call = ({b, c, delta, x}) => ({
      b: sliced(b, halved),
      c: sliced(c, halved),
      delta: sliced(delta, halved),
      x: sliced(x, halved),
    })
    expect(await faultsInHalf(sizes, all)).toEqual({})
  })
})
