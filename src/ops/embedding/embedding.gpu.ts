/** The embedding in shaders. Its result is the residual stream, which is f32 whatever the table is stored in. */
import {flatGrid} from '../../backend/gpu/shader.js'
import {gatherRowsOnGpu} from '../gather-rows.gpu.js'
import {type GpuDefinition, toTensors} from '../operation.js'
import {embeddingGradientGroups, embeddingGradientShader} from './embedding.wgsl.js'

export const embeddingOnGpu: GpuDefinition = {
  gradient([dy], {ids, weight}, _settings, host) {
    return {
      weight() {
        const [words, columns = 1] = weight.shape
        if (!dy) throw new Error('The embedding has one output, and its gradient is asked for without one.')
        const [dWeight] = host.launch({
          grid: flatGrid(embeddingGradientGroups(words, columns)),
          inputs: [ids, dy],
          outputs: [{format: 'f32', shape: weight.shape}],
          shader: embeddingGradientShader(columns, host.formatOf(dy)),
          whole: [ids.size, words],
        })
        return toTensors([dWeight])[0] // (V, d)
      },
    }
  },
  value({ids, weight}, _settings, host) {
    const rows = gatherRowsOnGpu(host, {format: 'f32', indices: ids, table: weight}) // (B·L, d)
    return {outputs: [{...rows, shape: [...ids.shape, weight.shape[1] ?? 1]}]} // (B, L, d)
  },
}
