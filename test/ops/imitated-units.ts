/**
 * Matrix units imitated in plain WGSL, so that shaders for them run on any device: a piece to be multiplied is a place in
 * workgroup memory, and each of 32 invocations has half a row of a 16 × 16 result. Layouts, offsets and strides are checked
 * that way; how fast and how exact real units are is not. Loops end at numbers that compilers do not know, so that they do
 * not unroll what occurs hundreds of times.
 */

const LOAD =
  /let (\w+) = subgroupMatrixLoad<subgroup_matrix_(?:left|right)<f16, 16, 16>, (row|col)_major>\(&(\w+), (.+), (\d+u)\);/g
const STORE = /subgroupMatrixStore<row_major>\(&staged, (.+), (\w+), (\d+u)\);/g
const MULTIPLY = /subgroupMatrixMultiplyAccumulate\((\w+), (\w+), (\w+)\)/g

function functionsFor(keeps: boolean): string {
  return `struct Piece { start: u32, line: u32, rows: bool, kept: bool }
fn number_at(piece: Piece, line: u32, at: u32) -> f32 {
  let element = piece.start + line * piece.line + at / 8u;
  ${keeps ? 'if (piece.kept) { return unpack2x16float(kept[element][at % 8u / 2u])[at % 2u]; }' : ''}
  return unpack2x16float(staged[element][at % 8u / 2u])[at % 2u];
}
fn number_of(piece: Piece, row: u32, column: u32) -> f32 {
  return number_at(piece, select(column, row, piece.rows), select(row, column, piece.rows));
}
fn multiply_add(left: Piece, right: Piece, sum: array<f32, 8>, lane: u32) -> array<f32, 8> {
  var result = sum;
  for (var k = 0u; k < min(16u, params.length + 15u); k++) {
    let a = number_of(left, lane / 2u, k);
    for (var i = 0u; i < min(8u, params.length + 7u); i++) { result[i] += a * number_of(right, k, lane % 2u * 8u + i); }
  }
  return result;
}
fn store_piece(start: u32, sum: array<f32, 8>, line: u32, lane: u32) {
  let at = start + lane / 2u * line + lane % 2u * 2u;
  staged[at] = bitcast<vec4<u32>>(vec4<f32>(sum[0], sum[1], sum[2], sum[3]));
  staged[at + 1u] = bitcast<vec4<u32>>(vec4<f32>(sum[4], sum[5], sum[6], sum[7]));
}
`
}

/** The code without matrix units; its workgroup memory for pieces is called \`staged\` and \`kept\`. */
export function imitated(code: string): string {
  const plain = code
    .replace(/enable (subgroups|f16|chromium_experimental_subgroup_matrix);|diagnostic\(.*\);/g, '')
    .replace(/subgroup_matrix_result<f32, 16, 16>\(\)/g, 'array<f32, 8>()')
    .replace(
      LOAD,
      (_, name: string, order: string, memory: string, start: string, line: string) =>
        `let ${name} = Piece(${start}, ${line}, ${String(order === 'row')}, ${String(memory === 'kept')});`,
    )
    .replace(STORE, 'store_piece($1, $2, $3, thread % 32u);')
    .replace(MULTIPLY, 'multiply_add($1, $2, $3, thread % 32u)')
  return plain.includes('multiply_add(')
    ? plain.replace('@compute', `${functionsFor(code.includes('kept:'))}@compute`)
    : code
}
