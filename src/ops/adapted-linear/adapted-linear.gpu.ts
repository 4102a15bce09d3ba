/**
 * The adapted linear layer in shaders. Forward two products: inner = s x′ Aᵀ, then y = x Wᵀ + inner Bᵀ + bias in one pass.
 * Backward the same way round: dInner = s dY B, then dX = dY W + dInner A in one pass where x′ is x.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {product} from '../matrix-product/matrix-product.gpu.js'
import {type Factor} from '../matrix-product/product-spec.js'
import {type FloatFormat} from '../matrix-product/tile-program.js'
import {type GpuDefinition, type Inputs, type Settings, toTensors} from '../operation.js'
import {WIDE} from '../wide.js'

/**
 * Narrow results are f32: what the scan makes Δ, B and C from is sensitive, and costs little. Wide ones are stored as the
 * host stores activations.
 */
const NARROW = 256

function formatOfColumns(columns: number, host: ShaderHost): FloatFormat {
  return columns > NARROW && columns % 8 === 0 ? host.precision : 'f32'
}

/** Slices of columns are read where they are. */
const strided = (tensor: tf.Tensor): Factor => ({strided: true, tensor})

export const adaptedLinearOnGpu: GpuDefinition = {
  gradient([dy], inputs, settings, host, [inner]) {
    if (!dy) throw new Error('The adapted linear layer has one output, and its gradient is asked for without one.')
    const {down, up, updateX, weight, x} = inputs
    const made = (info: tf.TensorInfo): tf.Tensor => toTensors([info])[0]
    const rowSum = (left: tf.Tensor, right: tf.Tensor): tf.Tensor =>
      made(product(host, {format: 'f32', kind: 'TN', left: strided(left), right: strided(right)}))
    // x, down and updateX share it.
    const scale = scaleOf(settings)
    const dInner = down && made(product(host, {format: 'f32', kind: 'NN', left: strided(dy), right: up, scale})) // (…, R)
    return {
      bias: () => tf.sum(tf.reshape(dy, [-1, weight.shape[0]]), 0), // (out)
      down: () => rowSum(dInner, updateX ?? x), // (R, in)
      up: () => rowSum(dy, inner), // (out, R)
      updateX: () => made(backward(host, dInner, down)), // (…, in)
      weight: () => rowSum(dy, x), // (out, in)
      x: () => made(backward(host, dy, weight, down && !updateX ? {left: dInner, right: down} : undefined)), // (…, in)
    }
  },
  reads({bias, down, updateX, weight}, {frozen}) {
    const x = down || !frozen || isCheap(weight) ? ['x'] : []
    return ['weight', ...x, ...(bias ? ['bias'] : []), ...(down ? ['down', 'up'] : []), ...(updateX ? ['updateX'] : [])]
  },
  remade: ({weight}) =>
    isCheap(weight) ? {make: (inputs, _settings, host, [inner]) => outputOf(inputs, inner, host), output: 0} : null,
  value(inputs, {recording, settings}, host) {
    const inner = inputs.down && innerOf(inputs, scaleOf(settings), host) // (…, R)
    const y = outputOf(inputs, inner, host) // (…, out)
    if (inner && !recording) tf.dispose(inner)
    return {outputs: [y], saved: inner && recording ? [inner] : []}
  },
}

/** A wide result of few inputs, as dt_proj's: it costs less to make again than to keep (see wide.ts). */
const isCheap = ({shape: [outputs, inputs]}: tf.Tensor): boolean => outputs >= WIDE && (inputs ?? 0) <= outputs / 16

function outputOf({bias, up, weight, x}: Inputs, inner: tf.Tensor | undefined, host: ShaderHost): tf.TensorInfo {
  return product(host, {
    bias,
    extension: inner && {left: inner, right: up},
    format: formatOfColumns(weight.shape[0], host),
    kind: 'NT',
    left: strided(x),
    right: weight,
  }) // (…, out)
}

/** s, the scale of the update. It goes into what lies between its two factors, so that it costs no pass of its own. */
const scaleOf = ({scale}: Settings): number => (scale as number | undefined) ?? 1

/** s x′ Aᵀ: what the update's gradient needs again. */
function innerOf({down, updateX, x}: Inputs, scale: number, host: ShaderHost): tf.Tensor {
  const info = product(host, {format: 'f32', kind: 'NT', left: strided(updateX ?? x), right: down, scale})
  return toTensors([info])[0] // (…, R)
}

function backward(
  host: ShaderHost,
  dy: tf.Tensor,
  weight: tf.Tensor,
  extension?: {readonly left: tf.Tensor; readonly right: tf.Tensor},
): tf.TensorInfo {
  const format = formatOfColumns(weight.shape[1] ?? 1, host)
  return product(host, {extension, format, kind: 'NN', left: strided(dy), right: weight})
}
