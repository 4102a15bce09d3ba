/**
 * The scan of Mamba-2, state space duality (SSD). For sequence b, step t, head h with its channels p, state n:
 *
 *   Δ = clamp(softplus(delta), low, high)                         delta includes its bias
 *   h_t[h,p,n] = exp(Δ_t[h] A[h]) h_{t−1}[h,p,n] + Δ_t[h] x_t[h,p] B_t[g,n]
 *   y_t[h,p]   = Σ_n C_t[g,n] h_t[h,p,n] + D[h] x_t[h,p]          g = ⌊h / (H / G)⌋
 *
 * Dao and Gu, Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured State Space Duality,
 * arXiv 2405.21060, equation 1 with A = −exp(A_log) a scalar for each head (section 5), and section 7.2 for the groups. We
 * differ by taking a first state h0, by returning the last one, and by the gradient of both; and a row may hold several
 * sequences, one behind the other, which `positions` tells apart: h_{t−1} is h0 at the first step of each.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {backend as currentBackend, sum} from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../backend/kernel-host.js'
import {defineOperation, type Inputs, type Settings, toTensors} from '../operation.js'
import {headParts} from './head-parts.js'
import {ssdScanOnGpu} from './ssd-scan.gpu.js'

export interface SsdInputs {
  /** (B, L, E) input after convolution and SiLU; E = H · P, head after head */
  readonly x: tf.Tensor3D
  /** (B, L, H) step size before softplus, bias included */
  readonly delta: tf.Tensor3D
  /** (H) continuous-time decay, negative: −exp(A_log) */
  readonly a: tf.Tensor1D
  /** (B, L, G·N) input matrix */
  readonly b: tf.Tensor3D
  /** (B, L, G·N) output matrix */
  readonly c: tf.Tensor3D
  /** (H) skip */
  readonly d: tf.Tensor1D
  /** (B, H, P, N) first state; null is zero */
  readonly h0: tf.Tensor4D | null
  /** (B, L) int32: steps since the sequence began that a step belongs to; absent or null where a row is one sequence */
  readonly positions?: tf.Tensor2D | null
}

export interface SsdSettings {
  /** H */
  readonly heads: number
  /** G: heads that follow one another share B and C; divides H */
  readonly groups: number
  /** Least and largest Δ; 0 and Infinity change nothing */
  readonly limit: readonly [low: number, high: number]
  /** On the GPU, without a gradient: step after step or in chunks, whatever the length; left out, the faster one */
  readonly stepByStep?: boolean
}

export interface SsdOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
  readonly last: tf.Tensor4D // (B, H, P, N) state after the last step
}

interface Plan {
  readonly backend: tf.KernelBackend
  readonly batch: number
  /** (B, H, P, N) */
  readonly state: number[]
  readonly parts: number
  readonly launch: {items: number; numbers: number[]; work: number}
  /** L and N, which scratch memory depends on */
  readonly sizes: [length: number, states: number]
}

/** What forward and backward launches share. */
function plan({b, x}: Inputs, {groups, heads, high, low}: Settings): Plan {
  const [batch, length, channels] = x.shape
  const [G, H] = [groups as number, heads as number]
  const size = channels / H
  const states = (b.shape[2] ?? 0) / G
  const {parts, size: part} = headParts(H, G)
  return {
    backend: currentBackend(),
    batch,
    launch: {
      items: batch * G * parts,
      numbers: [length, H, size, states, G, part, low as number, high as number],
      work: batch * length * channels * states,
    },
    parts,
    sizes: [length, states],
    state: [batch, H, size, states],
  }
}

const scan = defineOperation({
  gradient([dy, dLast], inputs, settings) {
    const {a, b, c, d, delta, x} = inputs
    const {backend, batch, launch, parts, sizes, state} = plan(inputs, settings)
    const heads = [batch, settings.heads as number]
    const [dX, dDelta, dA, dB, dC, dD, dH0] = toTensors(
      launchKernel(backend, {
        ...launch,
        inputs: [x, delta, a, b, c, d, inputs.h0 ?? null, inputs.positions ?? null, dy, dLast],
        kernel: 'ssdScanBackward',
        numbers: [...launch.numbers, batch],
        outputs: [x.shape, delta.shape, heads, [parts, ...b.shape], [parts, ...c.shape], heads, state],
        scratch: askKernel(backend, 'ssdScanBackwardScratch', ...sizes),
      }),
    )
    return {
      a: () => sum(dA, 0), // (H)
      b: () => sum(dB, 0), // (B, L, GN)
      c: () => sum(dC, 0), // (B, L, GN)
      d: () => sum(dD, 0), // (H)
      delta: () => dDelta, // (B, L, H)
      h0: () => dH0, // (B, H, P, N)
      x: () => dX, // (B, L, E)
    }
  },
  gpu: ssdScanOnGpu,
  name: 'MambaSsdScan',
  value(inputs, settings) {
    const {a, b, c, d, delta, x} = inputs
    const {backend, launch, sizes, state} = plan(inputs, settings)
    return launchKernel(backend, {
      ...launch,
      inputs: [x, delta, a, b, c, d, inputs.h0 ?? null, inputs.positions ?? null],
      kernel: 'ssdScanForward',
      outputs: [x.shape, state],
      scratch: askKernel(backend, 'ssdScanForwardScratch', ...sizes),
    })
  },
})

/** Applies the scan. Shapes are those of SsdInputs; every length from 1 and every size is allowed. */
export function ssdScan(
  {h0, positions, ...rest}: SsdInputs,
  {groups, heads, limit: [low, high], stepByStep}: SsdSettings,
): SsdOutputs {
  const [y, last] = scan(
    {...rest, ...(h0 && {h0}), ...(positions && {positions})},
    {groups, heads, high, low, ...(stepByStep !== undefined && {stepByStep})},
  )
  return {last: last as tf.Tensor4D, y: y as tf.Tensor3D}
}
