/**
 * Shaders of the head's loss, for a piece of rows whose logits x (m, V) are there in f32:
 *
 *   loss[r] = max x − x[label] + log Σ exp(x − max)        dLogits[r] = scale · (softmax x − onehot label)
 *
 * and both 0 for a row with a negative label.
 *
 * One workgroup goes over a row twice: first for maximum and sum together (each thread rescales its sum when its maximum
 * grows), then, if a gradient is wanted, to write it. Losses are summed in a tree whose shape depends on sizes alone; not
 * with a compensation for rounding, because compilers of shaders may cancel its terms.
 */
import {
  binding,
  FLAT_WORKGROUP,
  type DeviceFacts,
  type Format,
  parameters,
  type Shader,
} from '../../backend/gpu/shader.js'

/** Threads for a row, at most: few rows are under way at a time, and the second pass finds much of its row in the cache. */
const ROW_THREADS = 1024

/** Threads of the one workgroup that adds losses. */
const SUM_THREADS = 256

export interface RowLossForm {
  /** V */
  readonly vocabulary: number
  /** How dLogits are stored, f16 only where V is a multiple of 8; null where no gradient is wanted. */
  readonly gradient: Format | null
}

/** logits (m, V) f32, labels (all supervised rows) i32 → [dLogits (m, V)], losses (m). `offset` is the piece's first label. */
export function rowLossShader({gradient, vocabulary}: RowLossForm, facts: DeviceFacts): Shader {
  const threads = Math.min(ROW_THREADS, 2 ** Math.floor(Math.log2(facts.workgroupInvocations)))
  const width = vocabulary % 4 === 0 ? 4 : 1
  const sizes: RowSizes = {groups: vocabulary / width, threads, vocabulary, width}
  return {
    code: () =>
      [
        parameters(['rows', 'offset'], ['scale']),
        binding({binding: 0, format: 'f32', name: 'logits', width}),
        binding({binding: 1, format: 'i32', name: 'labels', width: 1}),
        ...(gradient ? [binding({binding: 2, format: gradient, name: 'd_logits', output: true, width})] : []),
        binding({binding: gradient ? 3 : 2, format: 'f32', name: 'losses', output: true, width: 1}),
        rowLossCode(sizes, gradient !== null),
      ].join('\n'),
    key: `${vocabulary} ${gradient ?? 'none'} ${threads}`,
    name: 'linear cross-entropy, rows',
  }
}

interface RowSizes {
  readonly vocabulary: number
  /** Logits read at once, and how many such groups a row has */
  readonly width: 1 | 4
  readonly groups: number
  readonly threads: number
}

function rowLossCode({groups, threads, vocabulary, width}: RowSizes, withGradient: boolean): string {
  const [highestOf, sumOf] =
    width === 4 ? ['max(max(x.x, x.y), max(x.z, x.w))', 'dot(exp(x - next), vec4<f32>(1.0))'] : ['x', 'exp(x - next)']
  return /* wgsl */ `
// Smaller than every logit; exp of the difference to any is 0.
const LOWEST = -3.0e38;

var<workgroup> highest: array<f32, ${threads}>;
var<workgroup> sums: array<f32, ${threads}>;

fn reduce(thread: u32) {
  for (var half = ${threads / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (thread < half) {
      let other = thread + half;
      let next = max(highest[thread], highest[other]);
      sums[thread] = sums[thread] * exp(highest[thread] - next) + sums[other] * exp(highest[other] - next);
      highest[thread] = next;
    }
  }
  workgroupBarrier();
}

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = ${FLAT_WORKGROUP};
  if (row >= params.rows) { return; }
  let first = row * ${groups}u;
  var top = LOWEST;
  var sum = 0.0;
  for (var i = thread; i < ${groups}u; i += ${threads}u) {
    let x = load_logits(first + i);
    let next = max(top, ${highestOf});
    sum = sum * exp(top - next) + ${sumOf};
    top = next;
  }
  highest[thread] = top;
  sums[thread] = sum;
  reduce(thread);
  top = highest[0];
  sum = sums[0];
  let given = load_labels(params.offset + row);
  let label = min(u32(max(given, 0)), ${vocabulary - 1}u);
  if (thread == 0u) {
    let chosen = load_logits(first + label / ${width}u)${width === 4 ? '[label & 3u]' : ''};
    store_losses(row, select(0.0, (top - chosen) + log(sum), given >= 0));
  }
  ${withGradient ? gradientCode(groups, threads, width) : ''}
}`
}

function gradientCode(groups: number, threads: number, width: 1 | 4): string {
  return /* wgsl */ `
  let scale = select(0.0, params.scale, given >= 0);
  let inverse = scale / sum;
  for (var i = thread; i < ${groups}u; i += ${threads}u) {
    var dx = exp(load_logits(first + i) - top) * inverse;
    if (i == label / ${width}u) { dx${width === 4 ? '[label & 3u]' : ''} -= scale; }
    store_d_logits(first + i, dx);
  }`
}

/** losses (m) and, unless this is the first piece, the sum () so far → the sum (). One workgroup. */
export function lossSumShader(first: boolean): Shader {
  return {
    code: () =>
      [
        parameters(['rows']),
        binding({binding: 0, format: 'f32', name: 'losses', width: 1}),
        ...(first ? [] : [binding({binding: 1, format: 'f32', name: 'before', width: 1})]),
        binding({binding: first ? 1 : 2, format: 'f32', name: 'sum', output: true, width: 1}),
        /* wgsl */ `
var<workgroup> sums: array<f32, ${SUM_THREADS}>;

@compute @workgroup_size(${SUM_THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {
  var mine = 0.0;
  for (var row = thread; row < params.rows; row += ${SUM_THREADS}u) { mine += load_losses(row); }
  sums[thread] = mine;
  for (var half = ${SUM_THREADS / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  if (thread == 0u) { store_sum(0u, ${first ? 'sums[0]' : 'load_before(0u) + sums[0]'}); }
}`,
      ].join('\n'),
    key: first ? 'first' : 'next',
    name: 'linear cross-entropy, sum',
  }
}

/** Threads of a workgroup of spreadRows. */
const SPREAD_THREADS = 256

/**
 * The gradient's rows back at their positions:  out[positions[offset + r]] = dy · scale · rows[r] for the m rows of a piece
 * whose target is not negative. rows (m, d) f32, positions and targets (all supervised rows) i32, dy () f32.
 */
export function spreadRowsShader(columns: number): Shader {
  const width = columns % 4 === 0 ? 4 : 1
  const groups = columns / width
  return {
    code: () =>
      [
        parameters(['rows', 'offset'], ['scale']),
        binding({binding: 0, format: 'f32', name: 'rows', width}),
        binding({binding: 1, format: 'i32', name: 'positions', width: 1}),
        binding({binding: 2, format: 'i32', name: 'targets', width: 1}),
        binding({binding: 3, format: 'f32', name: 'dy', width: 1}),
        binding({binding: 4, format: 'f32', name: 'out', output: true, width}),
        /* wgsl */ `
@compute @workgroup_size(${SPREAD_THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = ${FLAT_WORKGROUP} * ${SPREAD_THREADS}u + thread;
  let row = i / ${groups}u;
  if (row >= params.rows || load_targets(params.offset + row) < 0) { return; }
  let place = u32(load_positions(params.offset + row)) * ${groups}u + i % ${groups}u;
  store_out(place, load_rows(i) * (params.scale * load_dy(0u)));
}`,
      ].join('\n'),
    key: `${columns}`,
    name: 'linear cross-entropy, rows to positions',
  }
}

/** Workgroups of spreadRows for so many rows. */
export function spreadGroups(rows: number, columns: number): number {
  return Math.ceil((rows * columns) / (columns % 4 === 0 ? 4 : 1) / SPREAD_THREADS)
}
