import {expect, jest, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {FEWEST_NUMBERS} from '../../src/backend/gpu/lazy-sums.js'
import {causalConv} from '../../src/ops/causal-conv/causal-conv.js'
import {toTensors} from '../../src/ops/operation.js'
import {bitFaultsOf} from '../support/compare.js'
import {type Call, type Cotangent, evaluate, type Results} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {halved} from '../support/stored.js'
import {type Named, type Values} from '../support/values.js'

const CHANNELS = 512
const LENGTH = FEWEST_NUMBERS / CHANNELS

/** Eighths between −1 and 1, whose sums f16 holds too. */
function eighths(salt: number, size: number): Float32Array {
  return Float32Array.from({length: size}, (_, index) => ((index * 7919 + salt * 104_729 + (index >> 9)) % 17) / 8 - 1)
}

const values = (salt: number, shape: readonly number[]): Values => ({
  data: eighths(salt, tf.util.sizeFromShape([...shape])),
  shape: [...shape],
})

/** Two tensors on the GPU, as f16 or f32. */
function terms(format: 'f16' | 'f32', size = FEWEST_NUMBERS): [tf.Tensor, tf.Tensor] {
  const placed = (salt: number): tf.Tensor => tf.tidy(() => tf.mul(tf.tensor(eighths(salt, size)), 1))
  return format === 'f32'
    ? [placed(1), placed(2)]
    : [tf.tidy(() => halved(placed(1))), tf.tidy(() => halved(placed(2)))]
}

/** Shaders that `work` runs, by name. */
function launchesOf(backend: GpuBackend, work: () => void): string[] {
  const launch = jest.spyOn(backend, 'launch')
  try {
    work()
    return launch.mock.calls.map(([{shader}]) => shader.name)
  } finally {
    launch.mockRestore()
  }
}

/** Fails unless the tensor is the sum of the two above, in every bit. */
async function expectSum(sum: tf.Tensor): Promise<void> {
  const [left, right] = [eighths(1, FEWEST_NUMBERS), eighths(2, FEWEST_NUMBERS)]
  const expected = left.map((value, index) => value + right[index])
  expect(bitFaultsOf({sum: await sum.data<'float32'>()}, {sum: expected})).toEqual({})
}

describeGpu.each(['f16', 'f32'] as const)('the sum of two large tensors in %s', (format) => {
  test('is computed when it is read, and once', async () => {
    const backend = await useGpu({precision: format})
    const [left, right] = terms(format)
    await expectNoLeak(async () => {
      const sum = tf.add(left, right)
      expect(backend.formatOf(sum)).toBe(format)
      const terms = backend.termsOf(sum) ?? []
      expect(terms.map((term) => backend.formatOf(term))).toEqual([format, format])
      for (const {dataId} of terms) backend.disposeData(dataId)
      const launches = launchesOf(backend, () => tf.dispose([tf.square(sum), tf.square(sum)]))
      expect(launches).toEqual(['Square', 'Add', 'Square']) // the sum on behalf of the first square
      expect(backend.termsOf(sum)).toBeNull()
      expect(backend.formatOf(sum)).toBe(format)
      await expectSum(sum)
      sum.dispose()
    })
    tf.dispose([left, right])
  })

  test('outlives its terms, and gives their memory back when it is read', async () => {
    const backend = await useGpu({precision: format})
    await expectNoLeak(async () => {
      const [left, right] = terms(format)
      const {live} = backend.gpuMemory()
      const sum = tf.add(left, right)
      expect(backend.gpuMemory().live).toBe(live)
      tf.dispose([left, right])
      expect(backend.gpuMemory().live).toBe(live)
      tf.square(sum).dispose()
      expect(backend.gpuMemory().live).toBe(live / 2)
      await expectSum(sum)
      sum.dispose()
    })
  })

  test('costs nothing where nobody reads it', async () => {
    const backend = await useGpu({precision: format})
    await expectNoLeak(() => {
      const [left, right] = terms(format)
      const launches = launchesOf(backend, () => {
        const sum = tf.add(left, right)
        tf.dispose([left, right])
        expect(backend.numDataIds()).toBeGreaterThan(0)
        sum.dispose()
      })
      expect(launches).toEqual([])
    })
  })
})

describeGpu('the sum of two tensors', () => {
  test('is computed at once where they are small, differ in format, or one is a sum yet to be computed', async () => {
    const backend = await useGpu({precision: 'f16'})
    await expectNoLeak(() => {
      const [left, right] = terms('f32')
      const [half, another] = terms('f16')
      const [small, other] = terms('f32', FEWEST_NUMBERS - 4)
      const sum = tf.add(left, right)
      for (const [one, two] of [
        [small, other],
        [left, half],
      ]) {
        expect(launchesOf(backend, () => tf.add(one, two).dispose())).toEqual(['Add'])
      }
      expect(launchesOf(backend, () => tf.add(sum, right).dispose())).toEqual(['Add', 'Add'])
      tf.dispose([left, right, half, another, small, other, sum])
    })
  })

  test('is of what the terms were when it was asked for', async () => {
    const backend = await useGpu()
    await expectNoLeak(async () => {
      const [left, right] = terms('f32')
      const sum = tf.add(left, right)
      backend.overwrite(left, new Float32Array(FEWEST_NUMBERS))
      await expectSum(sum)
      tf.dispose([left, right, sum])
    })
  })

  test('is computed at the end of work that is repeated, so that it may be a result', async () => {
    const backend = await useGpu({checked: false})
    const owner = {}
    await expectNoLeak(async () => {
      const [left, right] = terms('f32')
      for (let step = 0; step < 4; step++) {
        const {sum} = backend.repeated({key: 'sum', owner, slots: []}, () => ({sum: tf.add(left, right)}))
        const [tensor] = toTensors([sum])
        await expectSum(tensor)
        tensor.dispose()
      }
      tf.dispose([left, right])
    })
  })
})

/** Both cotangents of a convolution's output that is used twice, or their sum. */
const cotangent: Cotangent = (output, size) => {
  if (output === 'last') return eighths(5, size)
  const [one, two] = [eighths(3, size), eighths(4, size)]
  if (output === 'both') return one.map((value, index) => value + two[index])
  return output === 'one' ? one : two
}

describeGpu.each(['f16', 'f32'] as const)(
  'the gradient of a convolution in %s whose output is used twice',
  (format) => {
    const stored = (y: tf.Tensor): tf.Tensor => (format === 'f16' ? halved(y) : tf.mul(y, 1))
    const inputs: Named = {
      bias: values(6, [CHANNELS]),
      weight: values(7, [CHANNELS, 1, 4]),
      window: values(8, [1, 3, CHANNELS]),
      x: values(9, [1, LENGTH, CHANNELS]),
    }
    const convolved = ({bias, weight, window, x}: Record<string, tf.Tensor>): {last: tf.Tensor; y: tf.Tensor} =>
      causalConv({
        bias: bias as tf.Tensor1D,
        weight: weight as tf.Tensor3D,
        window: window as tf.Tensor3D,
        x: x as tf.Tensor3D,
      })
    const twice: Call = (tensors) => {
      const {last, y} = convolved(tensors)
      return {last, one: stored(y), two: stored(y)}
    }
    const once: Call = (tensors) => {
      const {last, y} = convolved(tensors)
      return {both: stored(y), last}
    }

    /** The gradients, and the additions that were launched. */
    async function gradients(call: Call, wanted: readonly string[]): Promise<{additions: number; results: Results}> {
      const backend = await useGpu({precision: format})
      const launch = jest.spyOn(backend, 'launch')
      try {
        const all = await evaluate(call, inputs, wanted, cotangent)
        const results = Object.fromEntries(Object.entries(all).filter(([name]) => /^d[A-Z]/.test(name)))
        return {additions: launch.mock.calls.filter(([{shader}]) => shader.name === 'Add').length, results}
      } finally {
        launch.mockRestore()
      }
    }

    // Two additions make one number of three outputs.
    test.each([
      {additions: 2, wanted: ['x', 'window']},
      {additions: 3, wanted: Object.keys(inputs)}, // for the gradients of weight and bias
    ])('is that of their sum, with $additions additions for $wanted', async ({additions, wanted}) => {
      const lazy = await gradients(twice, wanted)
      expect(bitFaultsOf(lazy.results, (await gradients(once, wanted)).results)).toEqual({})
      expect(lazy.additions).toBe(additions)
    })
  },
)
