/**
 * Moving rows and parts of rows on the processor: the loops behind src/ops/rows.ts. TensorFlow.js's own take five to ten
 * times as long. One work item is one block of rows.
 */

/** Row m of the output is row `indices[m]` of the table. */
// prettier-ignore
export function gatherRows(
  table: usize, indices: usize, out: usize, rows: i32, columns: i32, block: i32, item: i32, thread: i32,
): void {
  const end = min(rows, (item + 1) * block)
  const bytes = <usize>(columns * 4)
  for (let row = item * block; row < end; row++) {
    const source = load<i32>(indices + <usize>(row * 4))
    memory.copy(out + <usize>row * bytes, table + <usize>source * bytes, bytes)
  }
}

/** Columns [from, from + width) of each row. */
// prettier-ignore
export function takeColumns(
  x: usize, out: usize, rows: i32, columns: i32, from: i32, width: i32, block: i32, item: i32, thread: i32,
): void {
  const end = min(rows, (item + 1) * block)
  const bytes = <usize>(width * 4)
  for (let row = item * block; row < end; row++) {
    memory.copy(out + <usize>row * bytes, x + <usize>(row * columns + from) * 4, bytes)
  }
}
