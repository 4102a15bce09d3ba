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
import {type Mamba1Config} from './config.js'
import {type LayerState, type MixerContext, type MixerOutputs} from './layer-state.js'
import {checkpointName} from './parameters.js'

/** hidden (B, L, d) → out (B, L, d) and the state after the last step. A null state is the start of a sequence. */
export function mambaMixer(
  {config, positions, sites, weights}: MixerContext<Mamba1Config>,
  layer: number,
  hidden: tf.Tensor3D,
  state: LayerState | null,
): MixerOutputs {
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
      positions,
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
    {a, b, c, d: parameter<tf.Tensor1D>('D'), delta, h0: (state?.scan ?? null) as tf.Tensor3D | null, positions, u, z},
    selectiveScan,
  )
  const out = sites.linear(`${site}.out_proj`, scan.y) // (B, L, d)
  return {out, state: {scan: scan.last, window: conv.last}}
}
