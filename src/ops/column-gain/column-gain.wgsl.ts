/**
 * Columns times gains in shaders. Forward y = g ⊙ z; backward dZ = g ⊙ dY, and dY ⊙ z in f32, whose columns are summed
 * elsewhere. Rows lie one after another.
 */
import {
  binding,
  FLAT_WORKGROUP,
  flatGrid,
  type Format,
  type Grid,
  parameters,
  type Shader,
  type Width,
} from '../../backend/gpu/shader.js'

const THREADS = 256

const widthOf = (columns: number): Width => (columns % 4 === 0 ? 4 : 1)

const head = /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = ${FLAT_WORKGROUP} * ${THREADS}u + thread;
  if (i >= params.count) { return; }`

/** z (M, out), gain (out) f32 → y (M, out) in z's format, f16 only where the columns are a multiple of 8. */
export function columnGainShader(columns: number, format: Format): Shader {
  const width = widthOf(columns)
  return {
    code: () =>
      [
        parameters(['count']),
        binding({binding: 0, format, name: 'z', width}),
        binding({binding: 1, format: 'f32', name: 'gain', width}),
        binding({binding: 2, format, name: 'y', output: true, width}),
        head,
        `  store_y(i, load_z(i) * load_gain(i % ${columns / width}u));\n}`,
      ].join('\n'),
    key: `${columns} ${format}`,
    name: 'column gain, forward',
  }
}

export interface GainBackwardForm {
  readonly columns: number
  readonly dy: Format
  readonly z: Format
}

/** dy and z (M, out), gain (out) f32 → dz (M, out) in z's format, dy ⊙ z (M, out) f32 */
export function columnGainBackwardShader({columns, dy, z}: GainBackwardForm): Shader {
  const width = widthOf(columns)
  return {
    code: () =>
      [
        parameters(['count']),
        binding({binding: 0, format: dy, name: 'dy', width}),
        binding({binding: 1, format: z, name: 'z', width}),
        binding({binding: 2, format: 'f32', name: 'gain', width}),
        binding({binding: 3, format: z, name: 'dz', output: true, width}),
        binding({binding: 4, format: 'f32', name: 'products', output: true, width}),
        head,
        /* wgsl */ `  let dy = load_dy(i);
  store_products(i, dy * load_z(i));
  store_dz(i, dy * load_gain(i % ${columns / width}u));
}`,
      ].join('\n'),
    key: `${columns} ${dy} ${z}`,
    name: 'column gain, backward',
  }
}

/** Numbers that one invocation has, and workgroups for `size` numbers. */
export function gainGroups(columns: number, size: number): {count: number; grid: Grid} {
  const count = size / widthOf(columns)
  return {count, grid: flatGrid(Math.ceil(count / THREADS))}
}
