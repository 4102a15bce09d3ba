/**
 * Rows that hold several sequences, in the scans: `positions` (B, L) is 0 at the first step of each. The state before such a
 * step is h0, and what is carried back beyond it adds to the gradient of h0.
 */

/** Whether a sequence begins here. Where rows are one sequence each, the state is there already. */
// @ts-ignore: decorator
@inline
export function isFirst(positions: usize, at: i32): bool {
  return positions != 0 && load<i32>(positions + <usize>(at * 4)) == 0
}

/** Moves so many vectors of a gradient from what is carried back to h0: the sequence before gets nothing. */
export function handBack(carried: usize, dBegin: usize, vectors: i32): void {
  const end = <usize>(vectors * 16)
  for (let at: usize = 0; at < end; at += 16) v128.store(dBegin + at, f32x4.add(v128.load(dBegin + at), v128.load(carried + at)))
  memory.fill(carried, 0, end)
}
