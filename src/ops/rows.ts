/**
 * Rows by index and parts of rows. `splitColumns` is an operation of the model, with a gradient; `gatherRows` is a step
 * inside other operations, without one.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../backend/gpu/current.js'
import {launchKernel} from '../backend/kernel-host.js'
import {gatherRowsOnGpu} from './gather-rows.gpu.js'
import {defineOperation, type Settings, toTensors} from './operation.js'
import {joinGradients, splitOnGpu} from './split-columns.gpu.js'

/** Rows in a work item. */
const BLOCK = 64

/** table (V, d), indices (M) int32 → (M, d). Not differentiable. */
export function gatherRows(table: tf.Tensor, indices: tf.Tensor): tf.Tensor2D {
  const host = gpuHost()
  if (host) {
    return toTensors([gatherRowsOnGpu(host, {format: host.formatOf(table), indices, table})])[0] as tf.Tensor2D
  }
  // Elsewhere the kernel would first copy the whole table into its own memory.
  if (tf.getBackend() !== 'wasm') {
    return tf.gather<tf.Tensor2D>(table as tf.Tensor2D, tf.reshape<tf.Rank.R1>(indices, [indices.size]))
  }
  const columns = table.size / table.shape[0]
  const rows = indices.size
  const [out] = toTensors(
    launchKernel(tf.backend(), {
      inputs: [table, indices],
      items: Math.ceil(rows / BLOCK),
      kernel: 'gatherRows',
      numbers: [rows, columns, BLOCK],
      outputs: [[rows, columns]],
      work: rows * columns,
    }),
  )
  return out as tf.Tensor2D
}

function takeColumns(backend: tf.KernelBackend, x: tf.Tensor, from: number, width: number): tf.TensorInfo {
  const columns = x.shape[x.rank - 1]
  const rows = x.size / columns
  const [out] = launchKernel(backend, {
    inputs: [x],
    items: Math.ceil(rows / BLOCK),
    kernel: 'takeColumns',
    numbers: [rows, columns, from, width, BLOCK],
    outputs: [[...x.shape.slice(0, -1), width]],
    work: rows * width,
  })
  return out
}

const widthsOf = (settings: Settings): number[] => Object.values(settings).map((width) => width as number)

const columnsOf = defineOperation({
  gpu: {
    gradient: (dys, {x}, settings, host) => ({
      x() {
        const parts = widthsOf(settings).map((width, index) => dys[index] ?? tf.zeros([...x.shape.slice(0, -1), width]))
        return toTensors([joinGradients(host, x, parts)])[0]
      },
    }),
    value: ({x}, {settings}, host) => ({outputs: splitOnGpu(host, x, widthsOf(settings))}),
  },
  gradient(dys) {
    return {x: () => tf.concat(dys, -1)}
  },
  name: 'MambaSplitColumns',
  value({x}, settings, backend) {
    let from = 0
    return widthsOf(settings).map((width) => {
      from += width
      return takeColumns(backend, x, from - width, width)
    })
  },
})

/** x (…, Σ widths) → one tensor (…, width) for each width, from left to right. */
export function splitColumns<T extends tf.Tensor>(x: T, widths: readonly number[]): T[] {
  return columnsOf({x}, Object.fromEntries(widths.map((width, index) => [`width${index}`, width]))) as T[]
}
