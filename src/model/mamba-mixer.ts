/**
 * One Mamba-1 mixer, in the order of the paper's figure 3 and algorithm 2 (Gu and Dao, arXiv 2312.00752):
 *
 *   x, z = in_proj(h)      x = silu(conv1d(x))      dt, B, C = x_proj(x)      Δ = softplus(dt_proj(dt))
 *   y = scan(x, Δ, A, B, C, D) · silu(z)            out = out_proj(y)
 *
 * Falcon-Mamba (Zuo et al., arXiv 2410.05355, section 3) normalises dt, B and C before their use, without a weight.
 *
 * It mirrors MambaMixer of transformers' modeling_mamba.py and FalconMambaMixer of modeling_falcon_mamba.py. We differ by
 * carrying convolution window and scan state through every length, so that one token at a time and a whole sequence are
 * the same code.
 */
import * as tf from '@tensorflow/tfjs-core'
import {causalConv} from '../ops/causal-conv/causal-conv.js'
import {rmsNorm} from '../ops/rms-norm/rms-norm.js'
import {splitColumns} from '../ops/rows.js'
import {selectiveScan} from '../ops/selective-scan/selective-scan.js'
import {type MambaConfig} from './config.js'
import {checkpointName} from './parameters.js'
import {type Sites} from './sites.js'
import {type Weights} from './weights.js'

/** What one layer carries from one part of a sequence to the next. */
export interface LayerState {
  readonly window: tf.Tensor3D // (B, K−1, E)
  readonly scan: tf.Tensor3D // (B, E, N)
}

export interface MixerContext {
  readonly config: MambaConfig
  readonly weights: Weights
  readonly sites: Sites
}

/** hidden (B, L, d) → out (B, L, d) and the state after the last step. A null state is the start of a sequence. */
export function mambaMixer(
  {config, sites, weights}: MixerContext,
  layer: number,
  hidden: tf.Tensor3D,
  state: LayerState | null,
): {out: tf.Tensor3D; state: LayerState} {
  const {inner, mixerEpsilon, states, timeStepRank} = config
  const site = `layers.${layer}.mixer`
  const parameter = <T extends tf.Tensor>(name: string): T => {
    const full = checkpointName(site, name)
    return sites.parameter(full, weights.get(full)) as T
  }

  const [x, z] = splitColumns(sites.linear(`${site}.in_proj`, hidden), [inner, inner]) // 2 × (B, L, E)
  const conv = sites.conv(
    layer,
    {
      bias: config.convBias ? parameter<tf.Tensor1D>('conv1d.bias') : null,
      weight: parameter<tf.Tensor3D>('conv1d.weight'),
      window: state?.window ?? null,
      x,
    },
    causalConv,
  )
  const u = conv.y // (B, L, E)
  const split = splitColumns(sites.linear(`${site}.x_proj`, u), [timeStepRank, states, states]) // (B, L, R), 2 × (B, L, N)
  const [dt, b, c] = mixerEpsilon === null ? split : split.map((part) => rmsNorm(part, null, mixerEpsilon)) // as before
  const delta = sites.linear(`${site}.dt_proj`, dt) // (B, L, E)
  const aLog = parameter<tf.Tensor2D>('A_log') // (E, N)
  const a = weights.derivedFrom(checkpointName(site, 'A_log'), aLog, (value) => tf.neg(tf.exp(value))) // (E, N)
  const scan = sites.scan(
    layer,
    {a, b, c, d: parameter<tf.Tensor1D>('D'), delta, h0: state?.scan ?? null, u, z},
    selectiveScan,
  )
  const out = sites.linear(`${site}.out_proj`, scan.y) // (B, L, d)
  return {out, state: {scan: scan.last, window: conv.last}}
}
