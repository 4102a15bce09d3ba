/** The name that somebody most likely meant: fewest letters to add, drop, change or swap with a neighbour. */

/** Null when nothing is near: more than a third of the letters would have to change. */
export function nearestName(typed: string, names: Iterable<string>): string | null {
  let best: string | null = null
  let fewest = Math.max(1, Math.floor(typed.length / 3)) + 1
  for (const name of names) {
    const edits = countEdits(typed, name)
    if (edits < fewest) {
      best = name
      fewest = edits
    }
  }

  return best
}

/** The optimal string alignment distance, three rows of its table at a time. */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({length: to.length + 1}, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        last[column] + 1,
        current[column - 1] + 1,
        last[column - 1] + (same ? 0 : 1),
        swapped ? beforeLast[column - 2] + 1 : Number.POSITIVE_INFINITY,
      )
    }

    beforeLast = last
    last = current
  }

  return last[to.length]
}
