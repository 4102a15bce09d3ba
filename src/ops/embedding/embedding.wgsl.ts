/**
 * The gradient of an embedding:  dWeight[v] = Σ dy[p] over the positions p whose id is v, in order of position. Every
 * workgroup owns some columns of one word and reads all ids: slow, but the same bits each time and no memory beside it.
 */
import {binding, FLAT_WORKGROUP, type Format, parameters, type Shader} from '../../backend/gpu/shader.js'

const THREADS = 64

/** ids (M) i32, dy (M, d) → (V, d) f32. */
export function embeddingGradientShader(columns: number, format: Format): Shader {
  const blocks = Math.ceil(columns / THREADS)
  return {
    code: () =>
      [
        parameters(['positions', 'words']),
        binding({binding: 0, format: 'i32', name: 'ids', width: 1}),
        binding({binding: 1, format, name: 'dy', width: 1}),
        binding({binding: 2, format: 'f32', name: 'd_weight', output: true, width: 1}),
        /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let block = ${FLAT_WORKGROUP};
  let word = block / ${blocks}u;
  let column = block % ${blocks}u * ${THREADS}u + thread;
  if (word >= params.words || column >= ${columns}u) { return; }
  var sum = 0.0;
  for (var position = 0u; position < params.positions; position++) {
    if (u32(load_ids(position)) == word) { sum += load_dy(position * ${columns}u + column); }
  }
  store_d_weight(word * ${columns}u + column, sum);
}`,
      ].join('\n'),
    key: `${columns} ${format}`,
    name: 'embedding, gradient',
  }
}

export function embeddingGradientGroups(words: number, columns: number): number {
  return words * Math.ceil(columns / THREADS)
}
