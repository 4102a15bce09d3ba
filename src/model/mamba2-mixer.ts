/**
 * One Mamba-2 mixer, in the order of figure 6 of the paper (Dao and Gu, arXiv 2405.21060, section 7.1):
 *
 *   z, xBC, dt = in_proj(h)      x, B, C = silu(conv1d(xBC))      y = ssd(x, dt + dt_bias, A, B, C, D)
 *   out = out_proj(norm(y · silu(z)))
 *
 * It mirrors Mamba2Mixer of transformers' modeling_mamba2.py. We differ as in mamba-mixer.ts: window and state are carried
 * through every length. The norm is over all E channels, as there.
 */
import * as tf from '@tensorflow/tfjs-core'
import {causalConv} from '../ops/causal-conv/causal-conv.js'
import {gatedRmsNorm} from '../ops/gated-rms-norm/gated-rms-norm.js'
import {splitColumns} from '../ops/rows.js'
import {ssdScan} from '../ops/ssd-scan/ssd-scan.js'
import {type LayerState, type MixerContext, type MixerOutputs} from './layer-state.js'
import {type Mamba2Config} from './mamba2-config.js'
import {checkpointName} from './parameters.js'

/** hidden (B, L, d) → out (B, L, d) and the state after the last step. A null state is the start of a sequence. */
export function mamba2Mixer(
  {config, positions, sites, weights}: MixerContext<Mamba2Config>,
  layer: number,
  hidden: tf.Tensor3D,
  state: LayerState | null,
): MixerOutputs {
  const {epsilon, groups, heads, inner, states, timeStepLimit: limit} = config
  const site = `layers.${layer}.mixer`
  const parameter = <T extends tf.Tensor>(name: string): T => {
    const full = checkpointName(site, name)
    return sites.parameter(full, weights.get(full)) as T
  }
  const shared = groups * states // columns of B, and of C

  const projected = sites.linear(`${site}.in_proj`, hidden) // (B, L, 2E + 2GN + H)
  const [z, xbc, dt] = splitColumns(projected, [inner, inner + 2 * shared, heads]) // (B, L, E), (B, L, E + 2GN), (B, L, H)
  const conv = sites.conv(
    layer,
    {
      bias: config.convBias ? parameter<tf.Tensor1D>('conv1d.bias') : null,
      weight: parameter<tf.Tensor3D>('conv1d.weight'),
      positions,
      window: state?.window ?? null,
      x: xbc,
    },
    causalConv,
  )
  const [x, b, c] = splitColumns(conv.y, [inner, shared, shared]) // (B, L, E), 2 × (B, L, GN)
  const delta: tf.Tensor3D = tf.add(dt, parameter<tf.Tensor1D>('dt_bias')) // (B, L, H)
  const aLog = parameter<tf.Tensor1D>('A_log') // (H)
  const a = weights.derivedFrom(checkpointName(site, 'A_log'), aLog, (value) => tf.neg(tf.exp(value))) // (H)
  const scan = sites.scan(
    layer,
    {a, b, c, d: parameter<tf.Tensor1D>('D'), delta, h0: (state?.scan ?? null) as tf.Tensor4D | null, positions, x},
    (inputs) => ssdScan(inputs, {groups, heads, limit}),
  )
  const normed = gatedRmsNorm(scan.y, z, parameter<tf.Tensor1D>('norm.weight'), epsilon) // (B, L, E)
  const out = sites.linear(`${site}.out_proj`, normed) // (B, L, d)
  return {out, state: {scan: scan.last, window: conv.last}}
}
