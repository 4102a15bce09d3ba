// Operands for bench/gpu-products.mjs made on the GPU, and the comparison of a result with plain sums at sampled places.
import {binding, flatGrid, parameters} from '../dist/backend/gpu/shader.js'
import * as tf from '@tensorflow/tfjs-core'

const HASH = `fn hash(x: u32) -> u32 {
  var h = x * 747796405u + 2891336453u;
  h = ((h >> ((h >> 28u) + 4u)) ^ h) * 277803737u;
  return (h >> 22u) ^ h;
}`

/** Eighths from −1 to 1. */
export function fill(host, shape, format, seed) {
  const code = () => `${parameters(['count', 'seed'])}
${binding({binding: 0, format, name: 'y', output: true, width: format === 'f16' ? 4 : 1})}
${HASH}
fn number(i: u32) -> f32 { return f32(hash(i + params.seed * 1000003u) % 17u) / 8.0 - 1.0; }
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.y * groups.x * 256u + id.x;
  if (i >= params.count) { return; }
  store_y(i, ${format === 'f16' ? 'vec4<f32>(number(4u * i), number(4u * i + 1u), number(4u * i + 2u), number(4u * i + 3u))' : 'number(i)'});
}`
  const count = shape.reduce((size, axis) => size * axis, 1) / (format === 'f16' ? 4 : 1)
  const [made] = host.launch({
    grid: flatGrid(Math.ceil(count / 256)),
    inputs: [],
    outputs: [{format, shape}],
    shader: {code, key: format, name: 'bench fill'},
    whole: [count, seed],
  })
  return made
}

const SAMPLES = 8192

/** The largest difference at sampled places in units of what the result's format rounds to; exact sums give 0. */
export async function compare(host, spec, {k, m, n}, result) {
  const {bias, extension, kind, left, right} = spec
  const inputs = [left, right, ...(extension ? [extension.left, extension.right] : []), ...(bias ? [bias] : []), result]
  const names = ['a', 'b', ...(extension ? ['c', 'd'] : []), ...(bias ? ['bias'] : []), 'y']
  const rank = extension ? extension.left.shape[1] : 0
  const formats = inputs.map((tensor) => host.formatOf(tensor))
  const term = (a, b, length) =>
    ({
      NN: `load_${a}(row * ${length} + t) * load_${b}(t * N + column)`,
      NT: `load_${a}(row * ${length} + t) * load_${b}(column * ${length} + t)`,
      TN: `load_${a}(t * M + row) * load_${b}(t * N + column)`,
    })[kind]
  const code = () => `${parameters(['m', 'n', 'k', 'rank'])}
${names.map((name, slot) => binding({binding: slot, format: formats[slot], name, width: 1})).join('\n')}
${binding({binding: names.length, format: 'f32', name: 'faults', output: true, width: 1})}
${HASH}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let M = params.m; let N = params.n;
  var row = hash(id.x) % M;
  var column = hash(id.x + 77777u) % N;
  if (id.x % 4u == 1u) { row = M - 1u; }
  if (id.x % 4u == 2u) { column = N - 1u; }
  var sum = 0.0;
  for (var t = 0u; t < params.k; t++) { sum += ${term('a', 'b', 'params.k')}; }
  ${extension ? `for (var t = 0u; t < params.rank; t++) { sum += ${term('c', 'd', 'params.rank')}; }` : ''}
  ${bias ? 'sum += load_bias(column);' : ''}
  let y = load_y(row * N + column);
  let unit = ${host.formatOf(result) === 'f16' ? 'max(abs(sum), 0.001) / 1024.0' : 'max(abs(sum), 1.0) * 1e-6'};
  let fault = abs(y - sum) / unit;
  faults[id.x] = select(1e30, fault, fault >= 0.0 && fault < 1e30);
}`
  const [faults] = host.launch({
    grid: [SAMPLES / 64, 1, 1],
    inputs,
    outputs: [{format: 'f32', shape: [SAMPLES]}],
    shader: {code, key: `${kind}:${names.join()}:${formats.join()}`, name: 'bench compare'},
    whole: [m, n, k, rank],
  })
  const tensor = tf.engine().makeTensorFromTensorInfo(faults)
  const worst = (await tensor.data()).reduce((most, value) => Math.max(most, value), 0)
  tensor.dispose()
  return worst
}
