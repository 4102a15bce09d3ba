/** The causal convolution on the GPU: sizes at which its runs and groups end, and how its inputs may be stored. */
import {expect, test} from '@jest/globals'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {convBackwardShader, convForwardShader, convWeightShader} from '../../src/ops/causal-conv/causal-conv.wgsl.js'
import {type Faults, bitFaultsOf, faultsOf, prefixed} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs, sliced} from '../support/stored.js'
import {openChecker} from './shader-check.js'
import {wantedOf} from './subject.js'
import {conv, convInputs, type ConvSizes} from './subjects.js'

const LENGTHS = [1, 2, 3, 15, 17, 33]

/** x as an activation may be stored */
const STORED: readonly Call[] = [({x}) => ({x: sliced(x, halved)}), ({x}) => ({x: halved(x)}), ({x}) => ({x})]

/** Every combination of bias and window occurs, each with short and long sequences. */
function sizesOf(channels: number, width: number): ConvSizes[] {
  return LENGTHS.map((length, index) => ({
    batch: 2,
    bias: index % 2 === 0,
    channels,
    length,
    width,
    window: index % 4 < 2,
  }))
}

/** Faults of `call` against the meaning, in f32. */
async function faultsFor(sizes: ConvSizes, call: Call = conv.call): Promise<Faults> {
  const inputs = convInputs(sizes)
  const wanted = wantedOf(conv, inputs)
  await useBackend('cpu')
  const expected = await evaluate(conv.meaning, inputs, wanted)
  await useGpu()
  return prefixed(`L ${sizes.length}:`, faultsOf(await evaluate(call, inputs, wanted), expected))
}

/** The same in f16: numbers that f16 holds go in, x as `store` leaves it. */
async function faultsInHalf(sizes: ConvSizes, store: Call): Promise<Faults> {
  const inputs = roundedInputs(convInputs(sizes))
  const wanted = wantedOf(conv, inputs)
  await useBackend('cpu')
  const expected = await evaluate(conv.meaning, inputs, wanted, roundedCotangent)
  await useGpu({precision: 'f16'})
  const call: Call = (tensors) => {
    const {last, y} = conv.call({...tensors, ...store(tensors)})
    return {last, y: halved(y)}
  }
  return prefixed(`L ${sizes.length}:`, faultsOf(await evaluate(call, inputs, wanted, roundedCotangent), expected, F16))
}

describeGpu('the causal convolution on the GPU', () => {
  test.each([1, 5, 8, 40].flatMap((channels) => [2, 3, 4].map((width) => [channels, width])))(
    'equals its meaning in value and every gradient with %i channels and a width of %i',
    async (channels, width) => {
      for (const sizes of sizesOf(channels, width)) expect(await faultsFor(sizes)).toEqual({})
    },
  )

  test('takes more channels than a workgroup', async () => {
    for (const length of [1, 17]) expect(await faultsFor({batch: 2, channels: 516, length, width: 4})).toEqual({})
  })

  test('sums the gradient of the weight over more steps than one invocation takes', async () => {
    for (const length of [64, 65, 200]) {
      expect(await faultsFor({batch: 3, channels: 12, length, width: 4})).toEqual({})
    }
  })

  test.each([5, 8, 12])('reads %i columns out of wider rows', async (channels) => {
    const call: Call = ({x, ...rest}) => conv.call({...rest, x: sliced(x)})
    for (const length of [2, 17]) expect(await faultsFor({batch: 2, channels, length, width: 4}, call)).toEqual({})
  })

  test.each([
    [8, 4],
    [40, 3],
  ])('reads and writes f16 with %i channels and a width of %i', async (channels, width) => {
    for (const [index, sizes] of sizesOf(channels, width).entries()) {
      expect(await faultsInHalf(sizes, STORED[index % STORED.length])).toEqual({})
    }
  })

  test('stores f16 where that is the precision and the channels allow it', async () => {
    const backend = await useGpu({precision: 'f16'})
    for (const [channels, format] of [
      [16, 'f16'],
      [12, 'f32'],
    ] as const) {
      const formats: string[] = []
      const call: Call = (tensors) => {
        const {last, y} = conv.call(tensors)
        formats.push(backend.formatOf(y), backend.formatOf(last))
        return {last, y}
      }
      await evaluate(call, convInputs({batch: 1, channels, length: 3, width: 4}), ['x'])
      expect(formats).toEqual([format, 'f32'])
    }
  })

  test('gives no gradient to `last` where nothing used it', async () => {
    const inputs = convInputs({batch: 2, channels: 8, length: 5, width: 4})
    const wanted = wantedOf(conv, inputs)
    const only =
      (call: Call): Call =>
      (tensors) => ({y: call(tensors).y})
    await useBackend('cpu')
    const expected = await evaluate(only(conv.meaning), inputs, wanted)
    await useGpu()
    expect(faultsOf(await evaluate(only(conv.call), inputs, wanted), expected)).toEqual({})
  })

  test('has the same bits again', async () => {
    for (const precision of ['f16', 'f32'] as const) {
      await useGpu({precision})
      const inputs = convInputs({batch: 3, channels: 40, length: 133, width: 4})
      const wanted = wantedOf(conv, inputs)
      const [first, second] = [await evaluate(conv.call, inputs, wanted), await evaluate(conv.call, inputs, wanted)]
      expect(bitFaultsOf(second, first)).toEqual({})
    }
  })
})

test('the shaders of the causal convolution compile', async () => {
  const facts: DeviceFacts = {
    bindingBytes: 2 ** 31,
    f16: true,
    matrixUnits: false,
    subgroupSize: 32,
    workgroupBytes: 48 * 1024,
    workgroupInvocations: 1024,
  }
  const checker = await openChecker(facts)
  try {
    for (const channels of [5, 1536]) {
      for (const width of [2, 4, 7]) {
        for (const isFull of [true, false]) {
          const format = channels === 5 ? 'f32' : 'f16'
          const form = {bias: isFull, channels, width, window: isFull, x: format} as const
          expect(await checker.faultOf(convForwardShader(form, format))).toBeNull()
          const formats = {dLast: isFull ? 'f32' : null, dX: format, dy: [format]} as const
          expect(await checker.faultOf(convBackwardShader({...form, ...formats}))).toBeNull()
          expect(await checker.faultOf(convWeightShader(form, format))).toBeNull()
        }
      }
    }
  } finally {
    checker.close()
  }
})
