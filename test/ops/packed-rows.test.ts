/** Rows of several sequences: every operation that carries something from step to step, against its meaning. */
import {describe, expect, test} from '@jest/globals'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {evaluate, valuesOf} from '../support/evaluate.js'
import {useBackend} from '../support/every-backend.js'
import {describeGpu} from '../support/gpu.js'
import {type Named} from '../support/values.js'
import {ssd, ssdInputs} from './mamba2-subjects.js'
import {every, positionsOf} from './packed-rows.js'
import {faultsAgainstMeaning, onEachBackend, type Subject, wantedOf} from './subject.js'
import {conv, convInputs, scan, scanInputs} from './subjects.js'

/** Sizes of the tiny Mamba-2 of other tests: software drivers take long for each shader, and keep it. */
const GOLDEN = {groups: 2, heads: 4, size: 16, states: 16}

const packed = (inputs: Named, length: number, starts: readonly (readonly number[])[]): Named => ({
  ...inputs,
  positions: positionsOf(length, starts),
})

/** Sums over the sequences of a row, made in another order where there may be several */
const OF_FIRST_STATE = ['gpu dWindow', 'gpu dH0']

/** The operation with one sequence in each row, told and not told so: the same bits, but for those sums. */
async function faultsOfOneSequence(subject: Subject, inputs: Named, length: number, rows: number): Promise<Faults> {
  const wanted = wantedOf(subject, inputs)
  const starts = Array.from({length: rows}, () => [])
  const told = packed(inputs, length, starts)
  let rounded: Faults = {}
  const bits = await onEachBackend(async () => {
    const results = await evaluate(subject.call, told, wanted)
    const expected = await evaluate(subject.call, inputs, wanted)
    rounded = {...rounded, ...faultsOf(results, expected)}
    return bitFaultsOf(results, expected)
  }, subject)
  return {...rounded, ...Object.fromEntries(Object.entries(bits).filter(([name]) => !OF_FIRST_STATE.includes(name)))}
}

// The kernel on the processor works in chunks of 128 steps; tiles on the GPU have 4, 8 or 16, intervals 8.
describe('the selective scan', () => {
  test.each([
    [{batch: 2, channels: 5, length: 9, states: 5}, [[3, 4], [8]]],
    [{batch: 2, channels: 40, length: 33, states: 16}, [[8, 16, 17], []]],
    [{batch: 1, channels: 11, h0: false, length: 19, states: 3}, [[1, 15, 18]]],
    [{batch: 1, channels: 6, length: 12, states: 4}, [every(12)]],
    [{batch: 1, channels: 3, h0: false, length: 7, states: 1}, [every(7)]],
    [
      {batch: 2, channels: 9, length: 270, states: 2},
      [
        [127, 128, 129, 256],
        [40, 200],
      ],
    ],
    [{batch: 1, channels: 1, length: 1, states: 1}, [[]]],
  ])('equals its meaning in value and every gradient for %j, starts %j', async (sizes, starts) => {
    expect(await faultsAgainstMeaning(scan, packed(scanInputs(sizes), sizes.length, starts))).toEqual({})
  })

  test('is the same with one sequence in each row', async () => {
    const inputs = scanInputs({batch: 2, channels: 11, length: 21, states: 5})
    expect(await faultsOfOneSequence(scan, inputs, 21, 2)).toEqual({})
  })
})

describe('the causal convolution', () => {
  test.each([
    [{batch: 2, channels: 5, length: 9, width: 4}, [[3, 4], [8]]],
    [{batch: 2, channels: 40, length: 33, width: 4}, [[15, 16, 17], []]],
    [{batch: 1, bias: false, channels: 11, length: 19, width: 3, window: false}, [[1, 15, 18]]],
    [{batch: 1, channels: 6, length: 12, width: 4}, [every(12)]],
    [{batch: 1, channels: 3, length: 7, width: 4, window: false}, [every(7)]],
    [{batch: 2, channels: 12, length: 130, width: 2}, [[1, 63, 64, 65, 129], [40]]],
    [{batch: 1, channels: 8, length: 2, width: 4}, [[1]]],
    [{batch: 1, channels: 1, length: 1, width: 2}, [[]]],
  ])('equals its meaning in value and every gradient for %j, starts %j', async (sizes, starts) => {
    expect(await faultsAgainstMeaning(conv, packed(convInputs(sizes), sizes.length, starts))).toEqual({})
  })

  test('is the same with one sequence in each row', async () => {
    const inputs = convInputs({batch: 2, channels: 12, length: 21, width: 4})
    expect(await faultsOfOneSequence(conv, inputs, 21, 2)).toEqual({})
  })
})

// Chunks of 64 steps on the processor.
describe('the SSD scan', () => {
  test.each([
    [{batch: 2, groups: 1, heads: 2, length: 9, size: 5, states: 5}, [[3, 4], [8]]],
    [{batch: 2, groups: 2, heads: 4, length: 33, size: 8, states: 16}, [[15, 16, 17], []]],
    [{batch: 1, groups: 1, h0: false, heads: 3, length: 19, size: 4, states: 3}, [[1, 15, 18]]],
    [{batch: 1, groups: 1, heads: 2, length: 12, size: 3, states: 4}, [every(12)]],
    [
      {batch: 2, groups: 1, heads: 2, length: 140, size: 4, states: 8},
      [
        [63, 64, 65, 128],
        [40, 100],
      ],
    ],
  ])('equals its meaning in value and every gradient for %j, starts %j', async (sizes, starts) => {
    const subject = {...ssd(sizes.heads, sizes.groups), backends: ['wasm', 'cpu'] as const}
    expect(await faultsAgainstMeaning(subject, packed(ssdInputs(sizes), sizes.length, starts))).toEqual({})
  })

  test('is the same with one sequence in each row', async () => {
    const inputs = ssdInputs({batch: 2, groups: 1, heads: 2, length: 21, size: 5, states: 5})
    expect(await faultsOfOneSequence({...ssd(2, 1), backends: ['wasm', 'cpu']}, inputs, 21, 2)).toEqual({})
  })
})

// Chunks of 64 steps, where sums over steps are made of eights. Without a first state: test/train/packing.test.ts.
describeGpu('the SSD scan on the GPU', () => {
  test('equals its meaning in value and every gradient, with borders anywhere in chunks', async () => {
    const starts = [[63, 64, 65], [1, 2, 3, 40, 71, 79], []]
    const subject = {...ssd(GOLDEN.heads, GOLDEN.groups), backends: ['gpu'] as const}
    const inputs = ssdInputs({...GOLDEN, batch: starts.length, length: 80})
    expect(await faultsAgainstMeaning(subject, packed(inputs, 80, starts))).toEqual({})
  })

  test('decodes packed rows without chunks', async () => {
    const inputs = packed(ssdInputs({...GOLDEN, batch: 2, length: 4}), 4, [[], [1, 3]])
    const {call, meaning} = ssd(GOLDEN.heads, GOLDEN.groups)
    await useBackend('cpu')
    const expected = await valuesOf(meaning, inputs)
    await useBackend('gpu')
    expect(faultsOf(await valuesOf(call, inputs), expected)).toEqual({})
  })
})
