/** The selective scan on the GPU: sizes at which its tiles end, the ways to divide it, and how its inputs may be stored. */
import {describe, expect, test} from '@jest/globals'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {defineFusion, type GpuDefinition} from '../../src/ops/operation.js'
import {planScan, type ScanTuning} from '../../src/ops/selective-scan/scan-plan.js'
import {segmentsOf} from '../../src/ops/selective-scan/scan-segments.js'
import {scanDivided} from '../../src/ops/selective-scan/selective-scan.gpu.js'
import {bitFaultsOf, type Faults, faultsOf, prefixed} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs, sliced} from '../support/stored.js'
import {type Tensors} from '../support/values.js'
import {DEVICES} from './shader-variants.js'
import {wantedOf} from './subject.js'
import {scan, scanInputs, type ScanSizes} from './subjects.js'

/** Around the ends of tiles and intervals, and several of both. */
const LENGTHS = [1, 2, 7, 8, 9, 15, 16, 17, 33, 70]

type Shape = Omit<ScanSizes, 'length'>

/** Faults of `call` against the meaning, in f32, at every length. */
async function faultsFor(shape: Shape, call: Call = scan.call, lengths: readonly number[] = LENGTHS): Promise<Faults> {
  const faults: Faults = {}
  for (const length of lengths) {
    const inputs = scanInputs({...shape, length})
    const wanted = wantedOf(scan, inputs)
    await useBackend('cpu')
    const expected = await evaluate(scan.meaning, inputs, wanted)
    await useGpu()
    Object.assign(faults, prefixed(`L ${length}:`, faultsOf(await evaluate(call, inputs, wanted), expected)))
  }
  return faults
}

/** The same in f16: numbers that f16 holds go in, stored as `store` leaves them. */
async function faultsInHalf(
  shape: Shape,
  store: Call,
  lengths: readonly number[],
  scanned: Call = scan.call,
): Promise<Faults> {
  const faults: Faults = {}
  for (const length of lengths) {
    const inputs = roundedInputs(scanInputs({...shape, length}))
    const wanted = wantedOf(scan, inputs)
    await useBackend('cpu')
    const expected = await evaluate(scan.meaning, inputs, wanted, roundedCotangent)
    await useGpu({precision: 'f16'})
    const call: Call = (tensors) => {
      const {last, y} = scanned({...tensors, ...store(tensors)})
      return {last, y: halved(y)}
    }
    const results = await evaluate(call, inputs, wanted, roundedCotangent)
    Object.assign(faults, prefixed(`L ${length}:`, faultsOf(results, expected, F16)))
  }
  return faults
}

/** The operation divided as `tuning` says, on a device that has other `facts`. */
function divided(tuning: ScanTuning | undefined, facts: Partial<DeviceFacts> = {}): Call {
  const {gradient, value} = scanDivided(tuning)
  const changed = (host: ShaderHost): ShaderHost =>
    Object.create(host, {facts: {value: {...host.facts, ...facts}}}) as ShaderHost
  const gpu: GpuDefinition = {
    gradient: (dys, inputs, settings, host, saved, notes) =>
      gradient(dys, inputs, settings, changed(host), saved, notes),
    value: (inputs, settings, host) => value(inputs, settings, changed(host)),
  }
  const operation = defineFusion({elsewhere: () => [], gpu, name: 'TestScan'})
  return (tensors) => {
    const [y, last] = operation(tensors)
    return {last, y}
  }
}

const TUNING: ScanTuning = {backwardTile: 8, channelsPerLane: 2, forwardTile: 16, interval: 8, lanes: 64}

const SMALL: ScanTuning = {backwardTile: 4, channelsPerLane: 1, forwardTile: 4, interval: 8, lanes: 32}

describe('the steps of the gradient', () => {
  const facts = DEVICES['subgroups of 32']
  const plan = planScan('backward', {channels: 1536, states: 16}, facts)

  test.each([
    ['few workgroups', {batch: 4, length: 2048}, {count: 4, intervals: 64}],
    ['hardly any workgroups', {batch: 1, length: 2048}, {count: 4, intervals: 64}],
    ['enough workgroups', {batch: 16, length: 2048}, {count: 1, intervals: 256}],
    ['steps for two segments', {batch: 1, length: 767}, {count: 2, intervals: 48}],
    ['few steps', {batch: 1, length: 511}, {count: 1, intervals: 64}],
  ])('are divided as the device has use for: %s', (_, work, segments) => {
    expect(segmentsOf(work, plan, facts)).toEqual(segments)
  })

  test('stay together on processors', () => {
    expect(segmentsOf({batch: 1, length: 2048}, plan, DEVICES['subgroups of 8']).count).toBe(1)
  })

  test.each([
    [1, {count: 1, intervals: 1}],
    [17, {count: 3, intervals: 1}],
    [33, {count: 3, intervals: 2}],
    [25, {count: 2, intervals: 2}],
  ])('make no empty segment of %i', (length, segments) => {
    expect(segmentsOf({batch: 1, length}, plan, facts, {...SMALL, segments: 3})).toEqual(segments)
  })
})

describeGpu('the selective scan on the GPU', () => {
  test.each([
    {batch: 2, channels: 40, states: 16},
    {batch: 2, channels: 5, h0: false, states: 5},
  ])('equals its meaning in value and every gradient at all lengths for %j', async (shape) => {
    expect(await faultsFor(shape)).toEqual({})
  })

  test('takes more states than lanes that sum together by shuffles', async () => {
    const {facts} = await useGpu()
    const shape = {batch: 1, channels: 6, states: 65}
    expect(planScan('backward', shape, facts).stateLanes).toBe(32)
    expect(await faultsFor(shape, scan.call, [9])).toEqual({})
  })

  test.each([
    ['several channels in a lane', TUNING],
    ['long tiles', {...TUNING, backwardTile: 16, channelsPerLane: 1, interval: 16}],
    ['several tiles in an interval', {...TUNING, backwardTile: 4, channelsPerLane: 4, interval: 16, lanes: 32}],
  ])('may be divided with %s', async (_, tuning) => {
    expect(await faultsFor({batch: 2, channels: 40, states: 12}, divided(tuning), [1, 17, 70])).toEqual({})
  })

  test('needs no subgroups', async () => {
    const call = divided({...TUNING, backwardTile: 4}, {subgroupSize: null})
    expect(await faultsFor({batch: 2, channels: 40, states: 16}, call, [1, 9, 33])).toEqual({})
  })

  test('reads b, c and z out of wider rows', async () => {
    const call: Call = ({b, c, z, ...rest}) => scan.call({...rest, b: sliced(b), c: sliced(c), z: sliced(z)})
    for (const channels of [5, 40]) {
      expect(await faultsFor({batch: 2, channels, states: 16}, call, [9])).toEqual({})
    }
  })

  test('reads and writes f16', async () => {
    const shape = {batch: 2, channels: 40, states: 16}
    const all: Call = ({b, c, delta, u, z}) => ({
      b: sliced(b, halved),
      c: sliced(c, halved),
      delta: halved(delta),
      u: halved(u),
      z: sliced(z, halved),
    })
    expect(await faultsInHalf(shape, all, [1, 17, 33])).toEqual({})
    expect(await faultsInHalf(shape, all, [17], divided({...SMALL, segments: 2}))).toEqual({})
    const some: Call = ({u, z}) => ({u: halved(u), z})
    expect(await faultsInHalf(shape, some, [17])).toEqual({})
  })

  test('stores f16 where that is the precision and the channels allow it', async () => {
    const backend = await useGpu({precision: 'f16'})
    for (const [channels, format] of [
      [16, 'f16'],
      [12, 'f32'],
    ] as const) {
      const formats: string[] = []
      const call: Call = (tensors: Tensors) => {
        const {last, y} = scan.call(tensors)
        formats.push(backend.formatOf(y), backend.formatOf(last))
        return {last, y}
      }
      await evaluate(call, scanInputs({batch: 1, channels, length: 3, states: 16}), ['u'])
      expect(formats).toEqual([format, 'f32'])
    }
  })

  test.each(['y', 'last'])('has gradients where only %s is used', async (output) => {
    const inputs = scanInputs({batch: 2, channels: 8, length: 21, states: 16})
    const wanted = ['u', 'delta', 'a', 'b', 'h0']
    const only =
      (call: Call): Call =>
      (tensors) => ({[output]: call(tensors)[output]})
    await useBackend('cpu')
    const expected = await evaluate(only(scan.meaning), inputs, wanted)
    await useGpu()
    expect(faultsOf(await evaluate(only(scan.call), inputs, wanted), expected)).toEqual({})
  })

  // Intervals have 8 steps, tiles 4: 70 steps in 2 segments of 5 and 4 intervals or in 3 of 3, 41 in 3 of 2, 17 in 3 of 1.
  test.each([
    [{batch: 2, channels: 21, states: 5}, {...SMALL, segments: 2}, [9, 70]],
    [{batch: 1, channels: 40, states: 16}, {...SMALL, channelsPerLane: 2, segments: 3}, [8, 17, 41]],
    [{batch: 1, channels: 5, h0: false, states: 5}, {...SMALL, forwardTile: 16, segments: 3}, [70]],
  ])('may divide the steps of its gradient: %j, %j, lengths %j', async (shape, tuning, lengths) => {
    expect(await faultsFor(shape, divided(tuning), lengths)).toEqual({})
  })

  test.each(['y', 'last'])('has divided gradients where only %s is used, the same bits again', async (output) => {
    const inputs = scanInputs({batch: 2, channels: 21, length: 41, states: 5})
    const wanted = wantedOf(scan, inputs).filter((name) => output === 'y' || !['c', 'd', 'z'].includes(name))
    const only =
      (call: Call): Call =>
      (tensors) => ({[output]: call(tensors)[output]})
    await useBackend('cpu')
    const expected = await evaluate(only(scan.meaning), inputs, wanted)
    await useGpu()
    const call = only(divided({...SMALL, segments: 3}))
    const [first, second] = [await evaluate(call, inputs, wanted), await evaluate(call, inputs, wanted)]
    expect(faultsOf(first, expected)).toEqual({})
    expect(bitFaultsOf(second, first)).toEqual({})
  })

  test('has the same bits again', async () => {
    for (const precision of ['f16', 'f32'] as const) {
      await useGpu({precision})
      const inputs = scanInputs({batch: 3, channels: 40, length: 70, states: 16})
      const wanted = wantedOf(scan, inputs)
      const [first, second] = [await evaluate(scan.call, inputs, wanted), await evaluate(scan.call, inputs, wanted)]
      expect(bitFaultsOf(second, first)).toEqual({})
    }
  })
})
