/**
 * The selective scan of Mamba-1 with skip and gate. For sequence b, step t, channel e, state n:
 *
 *   Δ = softplus(delta)                                           delta includes its bias
 *   h_t[e,n] = exp(Δ_t[e] A[e,n]) h_{t−1}[e,n] + Δ_t[e] B_t[n] u_t[e]
 *   y_t[e]   = (Σ_n C_t[n] h_t[e,n] + D[e] u_t[e]) · silu(z_t[e])
 *
 * Gu and Dao, Mamba: Linear-Time Sequence Modeling with Selective State Spaces, arXiv 2312.00752, equation 2a with the
 * discretisation of section 3.3 (zero-order hold for A, Euler for B), and the gate of figure 3. We differ by taking a
 * first state h0, by returning the last one, and by the gradient of both; and a row may hold several sequences, one behind the
 * other, which `positions` tells apart: h_{t−1} is h0 at the first step of each.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {backend as currentBackend, sum} from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../backend/kernel-host.js'
import {channelGroup} from '../channel-group.js'
import {defineOperation, type Inputs, toTensors} from '../operation.js'
import {scanOnGpu} from './selective-scan.gpu.js'

export interface ScanInputs {
  /** (B, L, E) input after convolution and SiLU */
  readonly u: tf.Tensor3D
  /** (B, L, E) step size before softplus, bias included */
  readonly delta: tf.Tensor3D
  /** (E, N) continuous-time state matrix, negative: −exp(A_log) */
  readonly a: tf.Tensor2D
  /** (B, L, N) input matrix */
  readonly b: tf.Tensor3D
  /** (B, L, N) output matrix */
  readonly c: tf.Tensor3D
  /** (E) skip */
  readonly d: tf.Tensor1D
  /** (B, L, E) gate before SiLU */
  readonly z: tf.Tensor3D
  /** (B, E, N) first state; null is zero */
  readonly h0: tf.Tensor3D | null
  /** (B, L) int32: steps since the sequence began that a step belongs to; absent or null where a row is one sequence */
  readonly positions?: tf.Tensor2D | null
}

export interface ScanOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
  readonly last: tf.Tensor3D // (B, E, N) state after the last step
}

interface Sizes {
  readonly batch: number
  readonly length: number
  readonly channels: number
  readonly states: number
}

/** What forward and backward launches share. */
function plan(inputs: Inputs): {
  backend: tf.KernelBackend
  group: number
  groups: number
  launch: {items: number; scratch: number; work: number}
} {
  const {batch, channels, length, states} = sizesOf(inputs)
  const {group, groups} = channelGroup(channels)
  const backend = currentBackend()
  const scratch = askKernel(backend, 'selectiveScanScratch', length, states, group)
  return {backend, group, groups, launch: {items: batch * groups, scratch, work: batch * length * channels * states}}
}

function sizesOf({a, u}: Inputs): Sizes {
  const [batch, length, channels] = u.shape
  return {batch, channels, length, states: a.shape[1] ?? 0}
}

const scan = defineOperation({
  gradient([dy, dLast], inputs) {
    const {batch, channels, length, states} = sizesOf(inputs)
    const {a, b, c, d, delta, u, z} = inputs
    const h0 = inputs.h0 ?? null
    const {backend, group, groups, launch} = plan(inputs)
    const outputs = toTensors(
      launchKernel(backend, {
        ...launch,
        inputs: [u, delta, a, b, c, d, z, h0, inputs.positions ?? null, dy, dLast],
        kernel: 'selectiveScanBackward',
        numbers: [batch, length, channels, states, group],
        outputs: [
          u.shape,
          delta.shape,
          [batch, channels, states],
          [groups, ...b.shape],
          [groups, ...c.shape],
          [batch, channels],
          z.shape,
          [batch, channels, states],
        ],
      }),
    )
    const [dU, dDelta, dA, dB, dC, dD, dZ, dH0] = outputs
    return {
      a: () => sum(dA, 0), // (E, N)
      b: () => sum(dB, 0), // (B, L, N)
      c: () => sum(dC, 0), // (B, L, N)
      d: () => sum(dD, 0), // (E)
      delta: () => dDelta, // (B, L, E)
      h0: () => dH0, // (B, E, N)
      u: () => dU, // (B, L, E)
      z: () => dZ, // (B, L, E)
    }
  },
  gpu: scanOnGpu,
  name: 'MambaSelectiveScan',
  value(inputs) {
    const {batch, channels, length, states} = sizesOf(inputs)
    const {a, b, c, d, delta, u, z} = inputs
    const {backend, group, launch} = plan(inputs)
    return launchKernel(backend, {
      ...launch,
      inputs: [u, delta, a, b, c, d, z, inputs.h0 ?? null, inputs.positions ?? null],
      kernel: 'selectiveScanForward',
      numbers: [length, channels, states, group],
      outputs: [u.shape, [batch, channels, states]],
    })
  },
})

/** Applies the scan. Shapes are those of ScanInputs; every length from 1 and every size is allowed. */
export function selectiveScan({h0, positions, ...rest}: ScanInputs): ScanOutputs {
  const [y, last] = scan({...rest, ...(h0 && {h0}), ...(positions && {positions})})
  return {last: last as tf.Tensor3D, y: y as tf.Tensor3D}
}
