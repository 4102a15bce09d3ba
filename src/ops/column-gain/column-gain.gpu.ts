/** Launches the shaders of columns times gains. The sums of columns are a matrix product with a column of ones. */
import * as tf from '@tensorflow/tfjs-core'
import {product} from '../matrix-product/matrix-product.gpu.js'
import {type GpuDefinition, toTensors} from '../operation.js'
import {columnGainBackwardShader, columnGainShader, gainGroups} from './column-gain.wgsl.js'

export const columnGainOnGpu: GpuDefinition = {
  gradient([dy], {gain, z}, _settings, host) {
    if (!dy) throw new Error('A gain has one output, and its gradient is asked for without one.')
    const columns = gain.size
    const {count, grid} = gainGroups(columns, z.size)
    const rows = z.size / columns
    const format = host.formatOf(z)
    const [dz, products] = toTensors(
      host.launch({
        grid,
        inputs: [dy, z, gain],
        outputs: [
          {format, shape: z.shape},
          {format: 'f32', shape: [rows, columns]},
        ],
        shader: columnGainBackwardShader({columns, dy: host.formatOf(dy), z: format}),
        whole: [count],
      }),
    )
    return {
      gain() {
        const ones = tf.ones([rows, 1])
        const [sums] = toTensors([product(host, {format: 'f32', kind: 'TN', left: ones, right: products})])
        return tf.reshape(sums, [columns]) // (out)
      },
      z: () => dz, // (…, out)
    }
  },
  value({gain, z}, _settings, host) {
    const columns = gain.size
    const {count, grid} = gainGroups(columns, z.size)
    const format = host.formatOf(z)
    const outputs = host.launch({
      grid,
      inputs: [z, gain],
      outputs: [{format, shape: z.shape}],
      shader: columnGainShader(columns, format),
      whole: [count],
    })
    return {outputs}
  },
}
