/** Δ = clamp(softplus(delta), low, high) of the SSD scan in WGSL, and its slope, which is zero where Δ is held at a limit. */
import {type SsdForm} from './ssd-plan.js'

const literal = (value: number): string => `f32(${value.toExponential()})`

/** Stable for every delta: softplus(x) = max(x, 0) + log(1 + exp(−|x|)), its last term as a series where that is tiny. */
export function stepSize({high, low}: SsdForm): string {
  // Not max and min, which would make a limit of NaN.
  const least = low > 0 ? `value = select(value, ${literal(low)}, value < ${literal(low)});` : ''
  const most = Number.isFinite(high) ? `value = select(value, ${literal(high)}, value > ${literal(high)});` : ''
  const within = [
    ...(low > 0 ? [`value < ${literal(low)}`] : []),
    ...(Number.isFinite(high) ? [`value > ${literal(high)}`] : []),
  ].join(' || ')
  return `fn softplus(x: f32) -> f32 {
  let e = exp(-abs(x));
  return max(x, 0.0) + select(log(1.0 + e), e - 0.5 * e * e, e < 1e-3);
}
fn step_size(delta: f32) -> f32 {
  var value = softplus(delta);
  ${least} ${most}
  return value;
}
fn step_slope(delta: f32) -> f32 {
  let value = softplus(delta);
  ${within ? `if (${within}) { return 0.0; }` : ''}
  let e = exp(-abs(delta));
  return select(e, 1.0, delta >= 0.0) / (1.0 + e);
}`
}
