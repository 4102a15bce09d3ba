/** Adds the partial sums of dB and dC, one for each group of channels, in order (selective-scan-backward.wgsl.ts). */
import {FLAT_WORKGROUP, flatGrid, type Grid, parameters, type Shader} from '../../backend/gpu/shader.js'
import {outputRows} from './scan-tiles.wgsl.js'

const LANES = 64

/** Partial sums (groups, rows, state lane, matrix, 4) → dB (rows, N), dC (rows, N). Parameters: rows. */
export function scanMatrixSumsShader(groups: number, states: number, stateLanes: number): Shader {
  return {
    code: () => `${parameters(['length'])}
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
${outputRows({columns: states, format: 'f32', name: 'db', slot: 1})}
${outputRows({columns: states, format: 'f32', name: 'dc', slot: 2})}

@compute @workgroup_size(${LANES})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let size = params.length * ${2 * stateLanes}u;
  let item = ${FLAT_WORKGROUP} * ${LANES}u + lane;
  if (item >= size) { return; }
  var total: vec4<f32>;
  for (var i = 0u; i < ${groups}u; i++) { total += partials[i * size + item]; }
  let row = item / ${2 * stateLanes}u;
  let state = (item / 2u) % ${stateLanes}u * 4u;
  if (item % 2u == 0u) { put_db(0u, row, state, total); } else { put_dc(0u, row, state, total); }
}`,
    key: [groups, states, stateLanes].join(),
    name: 'selective scan, sums of dB and dC',
  }
}

export function scanMatrixSumsGrid(rows: number, stateLanes: number): Grid {
  return flatGrid(Math.ceil((rows * 2 * stateLanes) / LANES))
}
