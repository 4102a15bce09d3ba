import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear} from '../../src/ops/adapted-linear/adapted-linear.js'
import {causalConv} from '../../src/ops/causal-conv/causal-conv.js'
import {addRmsNorm} from '../../src/ops/rms-norm/add-rms-norm.js'
import {WIDE} from '../../src/ops/wide.js'
import {faultsOf} from '../support/compare.js'
import {type Call, evaluate} from '../support/evaluate.js'
import {useBackend} from '../support/device.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {type Named, normals, type Tensors} from '../support/values.js'

/** Each chain gives its first output up when the second is made, and reads it again in the backward pass. */
const CHAINS: Readonly<Record<string, {call: Call; inputs: Named}>> = {
  'a convolution': {
    call({first, second, x}: Tensors) {
      const conv = (input: tf.Tensor, weight: tf.Tensor): tf.Tensor3D =>
        causalConv({bias: null, weight: weight as tf.Tensor3D, window: null, x: input as tf.Tensor3D}).y
      return {y: conv(conv(x, first), second)}
    },
    inputs: inputs({first: [WIDE, 1, 3], second: [WIDE, 1, 3], x: [1, 3, WIDE]}),
  },
  'a norm after an addition': {
    call({update, weight, x}: Tensors) {
      const one = addRmsNorm(x, update, weight as tf.Tensor1D, 1e-5)
      const two = addRmsNorm(one.sum, tf.square(one.normed), weight as tf.Tensor1D, 1e-5)
      return {normed: two.normed, sum: two.sum}
    },
    inputs: inputs({update: [2, WIDE / 2], weight: [WIDE / 2], x: [2, WIDE / 2]}),
  },
  'a wide product of few inputs': {
    call({first, second, x}: Tensors) {
      const linear = (weight: tf.Tensor): tf.Tensor =>
        adaptedLinear({bias: null, update: null, weight: weight as tf.Tensor2D, weightTransposed: null, x})
      return {y: tf.mul(tf.square(linear(first)), linear(second))}
    },
    inputs: inputs({first: [WIDE, 8], second: [WIDE, 8], x: [3, 8]}),
  },
}

function inputs(shapes: Readonly<Record<string, readonly number[]>>): Named {
  const normal = normals('remade')
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normal(shape)]))
}

describeGpu('an output of a wide model that is given up and made again', () => {
  describe.each(Object.keys(CHAINS))('of %s', (name) => {
    test('has the value and every gradient of device cpu', async () => {
      const {call, inputs: named} = CHAINS[name]
      const wanted = Object.keys(named)
      await useBackend('cpu')
      const expected = await evaluate(call, named, wanted)
      await useGpu()
      expect(faultsOf(await evaluate(call, named, wanted), expected)).toEqual({})
    })
  })
})
