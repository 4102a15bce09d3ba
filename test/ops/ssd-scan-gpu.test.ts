/** The SSD scan on the GPU: lengths at which chunks end, sizes that fill blocks and that do not, and how inputs may be stored. */
import {expect, test} from '@jest/globals'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {defineFusion, type GpuDefinition} from '../../src/ops/operation.js'
import {ssdScanOnGpu} from '../../src/ops/ssd-scan/ssd-scan.gpu.js'
import {type Tolerance} from '../support/close.js'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate, valuesOf} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs, sliced} from '../support/stored.js'
import {imitated} from './imitated-units.js'
import {SSD_DIFFERENTIABLE, ssdInputs, type SsdLimits, ssdMeaning, type SsdSizes, UNLIMITED} from './ssd-meaning.js'

/** The operation's shaders, on a device that has other `facts`. */
function onGpu({groups, heads}: SsdSizes, limits: SsdLimits = UNLIMITED, facts: Partial<DeviceFacts> = {}): Call {
  const changed = (host: ShaderHost): ShaderHost => {
    const launch: ShaderHost['launch'] = ({shader, ...rest}) =>
      host.launch({...rest, shader: {...shader, code: () => imitated(shader.code())}})
    return Object.create(host, {
      facts: {value: {...host.facts, ...facts}},
      launch: {value: facts.matrixUnits ? launch : host.launch.bind(host)},
    }) as ShaderHost
  }
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

interface Variant {
  readonly limits?: SsdLimits
  readonly call?: Call
  readonly only?: string
}

/** Value and every gradient against the meaning, in f32. */
async function faultsFor(sizes: SsdSizes, {limits, only, call = onGpu(sizes, limits)}: Variant = {}): Promise<Faults> {
  const inputs = ssdInputs(sizes)
  // Nothing that only the last state depends on has a gradient by c and d.
  const wanted = wantedOf(sizes).filter((name) => only !== 'last' || (name !== 'c' && name !== 'd'))
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
async function faultsInHalf(
  sizes: SsdSizes,
  store: Call,
  {facts, tolerance = F16}: {facts?: Partial<DeviceFacts>; tolerance?: Tolerance} = {},
): Promise<Faults> {
  const inputs = roundedInputs(ssdInputs(sizes))
  const wanted = wantedOf(sizes)
  await useBackend('cpu')
  const expected = await evaluate(meaningOf(sizes), inputs, wanted, roundedCotangent)
  await useGpu({precision: 'f16'})
  const call: Call = (tensors) => {
    const {last, y} = onGpu(sizes, UNLIMITED, facts)({...tensors, ...store(tensors)})
    return {last, y: halved(y)}
  }
  return faultsOf(await evaluate(call, inputs, wanted, roundedCotangent), expected, tolerance)
}

/** Factors and states are rounded to f16 several times, at 2⁻¹¹ each, before they meet in sums. */
const IN_UNITS: Tolerance = {absolute: 2 ** -9, relative: 2 ** -9}

const SMALL: SsdSizes = {batch: 2, groups: 2, heads: 4, length: 70, size: 8, states: 12}

describeGpu('the SSD scan on the GPU', () => {
  test.each([1, 2, 31, 33, 64, 65, 130])(
    'equals its meaning in value and every gradient for %i steps',
    async (length) => {
      expect(await faultsFor({...SMALL, length})).toEqual({})
    },
  )

  test.each([
    {batch: 1, groups: 1, h0: false, heads: 3, length: 67, size: 5, states: 5},
    {batch: 1, groups: 1, heads: 2, length: 80, size: 64, states: 128},
    {batch: 1, groups: 1, heads: 6, length: 70, size: 16, states: 16},
    {batch: 2, groups: 3, heads: 3, length: 40, size: 68, states: 68},
  ])('takes sizes that fill blocks and that do not: %j', async (sizes) => {
    expect(await faultsFor(sizes)).toEqual({})
  })

  test('works in little memory, in shorter chunks', async () => {
    const call = onGpu(SMALL, UNLIMITED, {workgroupBytes: 16_384})
    expect(await faultsFor(SMALL, {call})).toEqual({})
  })

  test('has no gradient of steps that a limit holds', async () => {
    expect(await faultsFor(SMALL, {limits: {high: 0.3, low: 0.06}})).toEqual({})
  })

  test.each(['y', 'last'])('has gradients where only %s is used', async (only) => {
    expect(await faultsFor(SMALL, {only})).toEqual({})
  })

  test('reads x, delta, b and c out of wider rows', async () => {
    const call: Call = ({b, c, delta, x, ...rest}) =>
      onGpu(SMALL)({...rest, b: sliced(b), c: sliced(c), delta: sliced(delta), x: sliced(x)})
    expect(await faultsFor(SMALL, {call})).toEqual({})
  })

  test('makes the states of wide models once more', async () => {
    expect(await faultsFor({batch: 1, groups: 1, heads: 64, length: 3, size: 32, states: 4})).toEqual({})
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
    expect(await faultsInHalf(sizes, ({x}) => ({x: halved(x)}))).toEqual({})
  })

  test('has the layouts of matrix units right', async () => {
    const sizes = {batch: 1, groups: 2, heads: 8, length: 70, size: 32, states: 32}
    const all: Call = ({b, c, delta, x}) => ({
      b: sliced(b, halved),
      c: sliced(c, halved),
      delta: sliced(delta, halved),
      x: sliced(x, halved),
    })
    const facts = {matrixUnits: true, subgroupSize: 32, workgroupBytes: 49_152}
    expect(await faultsInHalf(sizes, all, {facts, tolerance: IN_UNITS})).toEqual({})
  })

  test.each([1, 4])('decodes %i steps without chunks', async (length) => {
    for (const sizes of [
      {...SMALL, length},
      {batch: 1, groups: 1, h0: false, heads: 3, length, size: 5, states: 70},
    ]) {
      const inputs = ssdInputs(sizes)
      await useBackend('cpu')
      const expected = await valuesOf(meaningOf(sizes), inputs)
      await useGpu()
      expect(faultsOf(await valuesOf(onGpu(sizes), inputs), expected)).toEqual({})
    }
  })

  test('has the same bits again', async () => {
    for (const precision of ['f16', 'f32'] as const) {
      await useGpu({precision})
      const run = (): ReturnType<typeof evaluate> => evaluate(onGpu(SMALL), ssdInputs(SMALL), wantedOf(SMALL))
      expect(bitFaultsOf(await run(), await run())).toEqual({})
    }
  })
})
