/**
 * The causal convolution as shaders (equation in causal-conv.ts). An invocation takes neighbouring channels, four where
 * their number allows it, through a run of steps, with the last K−1 inputs in registers: so x is read once, but for the
 * K−1 steps before a run. Inputs of four steps are asked for before the first is used, which hides the latency of memory.
 *
 * Backward, dS_t = dY_t · silu′(s_t) with s_t computed again, and dX_t = Σ_k weight[k] · dS_{t+K−1−k}: a run goes K−1 steps
 * beyond its end, and the first one begins K−1 steps early, in the window. Weights are summed over runs of steps, in order.
 */
import {flatGrid, type Format, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {
  ages,
  bindings,
  code,
  type ConvForm,
  type Declared,
  gradientAt,
  gradientInputs,
  gradientSum,
  groupsOf,
  input,
  keyOf,
  lanes,
  lanesOf,
  loads,
  lookup,
  main,
  output,
  pastAt,
  pastInputs,
  range,
  shifted,
  sumAt,
  THREADS,
  UNROLLED,
} from './conv-code.wgsl.js'

/** Steps of an invocation: multiples of UNROLLED, so that every run but the last is whole. */
const RUN = 16
/** The same where an invocation sums over its steps. */
export const SUM_RUN = 64

export interface ConvGradientForm extends ConvForm {
  /** One, or of each term of a sum that is dY */
  readonly dy: readonly Format[]
  readonly dX: Format
  /** null: nothing used `last`. */
  readonly dLast: Format | null
}

/** x, weight, bias?, window?, positions? → y, last */
export function convForwardShader(form: ConvForm, y: Format): Shader {
  const steps = range(UNROLLED)
  const kept = 'input_at(sequence, i32(params.length + k) - i32(PAST), column)'
  const sums = steps.map(
    (j) => `if (step + ${j}u < end) { store_y(position + ${j}u * GROUPS, silu(${sumAt(form, j)})); }`,
  )
  return {
    code: () =>
      code(form, [
        bindings(form, [], [output(form, 'y', y), output(form, 'last', 'f32')]),
        lookup(form),
        main(form, RUN, [
          `let end = min(first + RUN, params.length);`,
          pastInputs(form),
          `for (var step = first; step < end; step += ${UNROLLED}u) {`,
          `let position = (sequence * params.length + step) * GROUPS + column;`,
          ...ages(form, steps),
          ...steps.map((j) => `let n${j} = load_x(place(sequence, min(step + ${j}u, params.length - 1u), column));`),
          ...sums,
          shifted(form, 'i', 'n'),
          `}`,
          `if (end < params.length) { return; }`,
          `for (var k = 0u; k < PAST; k++) {`,
          `store_last((sequence * PAST + k) * GROUPS + column, ${form.packed ? `past(sequence, column, ${kept}, age_at(sequence, params.length - 1u) + 1u, PAST - k)` : kept});`,
          `}`,
        ]),
      ]),
    key: `${keyOf(form)} ${y}`,
    name: 'causal convolution, forward',
  }
}

/** x, weight, bias?, window?, positions?, dY (or terms of it), dLast? → dX, and dWindow if there is a window and rows are not packed */
export function convBackwardShader(form: ConvGradientForm): Shader {
  const steps = range(UNROLLED)
  const inputs: Declared[] = gradientInputs(form, form.dy)
  if (form.dLast) inputs.push(input(form, 'd_last', form.dLast))
  const outputs = [output(form, 'd_x', form.dX), ...(toWindow(form) ? [output(form, 'd_window', 'f32')] : [])]
  return {
    code: () =>
      code(form, [
        bindings(form, inputs, outputs),
        gradientSum(form.dy),
        lookup(form),
        emit(form),
        main(form, RUN, [
          `let stop = min(first + RUN, params.length) + PAST;`,
          pastInputs(form),
          ...range(form.width - 1).map((k) => `var d${k} = Numbers();`),
          ...(form.packed ? range(form.width - 1).map((k) => `var q${k} = 0u;`) : []),
          `for (var step = first; step < stop; step += ${UNROLLED}u) {`,
          loads(steps),
          ...ages(form, steps),
          ...steps.map(
            (j) => `let e${j} = select(g${j} * slope(${sumAt(form, j)}), Numbers(), step + ${j}u >= params.length);`,
          ),
          ...steps.map((j) => `emit(sequence, column, first, stop, step + ${j}u, ${gradientAt(form, j)});`),
          shifted(form, 'i', 'n'),
          shifted(form, 'd', 'e'),
          ...(form.packed ? [shifted(form, 'q', 'p')] : []),
          `}`,
        ]),
      ]),
    key: `${keyOf(form)} ${form.dy.join('+')} ${form.dX} ${form.dLast ?? 'none'}`,
    name: 'causal convolution, backward',
  }
}

/** x, weight, bias?, window?, positions?, dY → dWeight (runs, E, K), dBias (runs, E): one term of each sum for every run of steps. */
export function convWeightShader(form: ConvForm, dy: Format): Shader {
  const {width} = form
  const steps = range(UNROLLED)
  const taps = range(width)
  const terms = (k: number): string => steps.map((j) => `e${j} * ${pastAt(form, j)[k]}`).join(' + ')
  return {
    code: () =>
      code(form, [
        bindings(
          form,
          [input(form, 'dy', dy)],
          [{...output(form, 'd_weight', 'f32'), width: 1}, output(form, 'd_bias', 'f32')],
        ),
        lookup(form),
        main(form, SUM_RUN, [
          `let end = min(first + RUN, params.length);`,
          pastInputs(form),
          `var d_offset = Numbers();`,
          ...taps.map((k) => `var d_tap${k} = Numbers();`),
          `for (var step = first; step < end; step += ${UNROLLED}u) {`,
          loads(steps),
          ...ages(form, steps),
          ...steps.map((j) => `let e${j} = select(g${j} * slope(${sumAt(form, j)}), Numbers(), step + ${j}u >= end);`),
          ...taps.map((k) => `d_tap${k} += ${terms(k)};`),
          `d_offset += ${steps.map((j) => `e${j}`).join(' + ')};`,
          shifted(form, 'i', 'n'),
          `}`,
          `let term = sequence * ((params.length + RUN - 1u) / RUN) + first / RUN;`,
          `store_d_bias(term * GROUPS + column, d_offset);`,
          `let start = (term * GROUPS + column) * ${lanesOf(form) * width}u;`,
          ...taps.flatMap((k) =>
            lanes(form, `d_tap${k}`).map((value, lane) => `store_d_weight(start + ${lane * width + k}u, ${value});`),
          ),
        ]),
      ]),
    key: `${keyOf(form)} ${dy}`,
    name: 'causal convolution, gradient of the weight',
  }
}

/** The grid of the first two shaders. */
export function convGrid(form: ConvForm, batch: number, length: number): Grid {
  return flatGrid(Math.ceil((batch * Math.ceil(length / RUN) * groupsOf(form)) / THREADS))
}

/** The grid of the third. */
export function convWeightGrid(form: ConvForm, batch: number, length: number): Grid {
  return flatGrid(Math.ceil((convWeightTerms(batch, length) * groupsOf(form)) / THREADS))
}

/** Runs of steps whose sums convWeightShader writes. */
export function convWeightTerms(batch: number, length: number): number {
  return batch * Math.ceil(length / SUM_RUN)
}

/** Sequences of packed rows all begin with the window: its gradient is a sum over them (conv-window.wgsl.ts). */
const toWindow = ({packed, window}: ConvForm): boolean => window && !packed

/** The gradient of the input K−1 steps before `step`: of x, or before the first step of the window. */
function emit(form: ConvGradientForm): string {
  const {dLast, packed} = form
  const otherwise = toWindow(form)
    ? 'else if (first == 0u) { store_d_window((sequence * PAST + step) * GROUPS + column, sum); }'
    : ''
  const isOwn = packed ? ' && params.length + PAST - step <= age_at(sequence, params.length - 1u) + 1u' : ''
  return /* wgsl */ `
fn emit(sequence: u32, column: u32, first: u32, stop: u32, step: u32, value: Numbers) {
  if (step >= stop) { return; }
  var sum = value;
  ${dLast ? `if (step >= params.length${isOwn}) { sum += load_d_last((sequence * PAST + step - params.length) * GROUPS + column); }` : ''}
  if (step >= first + PAST) { store_d_x(place(sequence, step - PAST, column), sum); }
  ${otherwise}
}`
}
