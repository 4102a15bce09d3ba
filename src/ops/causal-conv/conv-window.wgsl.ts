/**
 * The gradient of the window before rows that hold several sequences (equation in causal-conv.ts), which all begin with it.
 * With p_t the age of step t, the number of steps since its sequence began, and dS_t = dY_t · silu′(s_t),
 *
 *   dWindow[w] = Σ_{t: p_t ≤ w} weight[w − p_t] · dS_t
 *
 * and the gradient of `last` where the last sequence is shorter than the window. It is summed over runs of steps, in order.
 */
import {type Format, type Shader} from '../../backend/gpu/shader.js'
import {SUM_RUN} from './causal-conv.wgsl.js'
import {ages, bindings, code, type ConvForm, input, keyOf, lookup, main, output, range} from './conv-code.wgsl.js'

/** x, weight, bias?, window, positions, dY, dLast? → terms of dWindow (B, runs, K−1, E). The grid is that of the weight. */
export function convWindowShader(form: ConvForm, dy: Format, dLast: Format | null): Shader {
  const read = [input(form, 'dy', dy), ...(dLast ? [input(form, 'd_last', dLast)] : [])]
  const slots = range(form.width - 1)
  return {
    code: () =>
      code(form, [
        bindings(form, read, [output(form, 'd_window', 'f32')]),
        lookup(form),
        main(form, SUM_RUN, [
          `let end = min(first + RUN, params.length);`,
          ...slots.map((w) => `var d_slot${w} = Numbers();`),
          `for (var step = first; step < end; step++) {`,
          ...ages(form, [0]),
          `if (p0 >= PAST) { continue; }`,
          `let e = load_dy((sequence * params.length + step) * GROUPS + column) * slope(${sum(form)});`,
          ...slots.map((w) => `d_slot${w} += (${taps(w)}) * e;`),
          `}`,
          ...(dLast ? [addLast(form)] : []),
          `let term = sequence * ((params.length + RUN - 1u) / RUN) + first / RUN;`,
          ...slots.map((w) => `store_d_window((term * PAST + ${w}u) * GROUPS + column, d_slot${w});`),
        ]),
      ]),
    key: `${keyOf(form)} ${dy} ${dLast ?? 'none'}`,
    name: 'causal convolution, gradient of the window',
  }
}

/** s of the step */
function sum({width}: ConvForm): string {
  const terms = range(width).map((k) => {
    const back = width - 1 - k
    return `t${k} * past(sequence, column, input_at(sequence, i32(step) - ${back}, column), p0, ${back}u)`
  })
  return ['offset', ...terms].join(' + ')
}

/** weight[w − p], which is nothing where p > w */
const taps = (w: number): string =>
  range(w + 1)
    .map((k) => `select(Numbers(), t${k}, p0 == ${w - k}u)`)
    .join(' + ')

/** What the run that has the last step adds: `last[k]` is slot k + p + 1 of the window, p being the age of the last step. */
function addLast({width}: ConvForm): string {
  const adds = range(width - 1).flatMap((w) =>
    range(w).map(
      (k) => `if (age == ${w - k}u) { d_slot${w} += load_d_last((sequence * PAST + ${k}u) * GROUPS + column); }`,
    ),
  )
  return `if (end == params.length) { let age = age_at(sequence, params.length - 1u) + 1u; ${adds.join(' ')} }`
}
