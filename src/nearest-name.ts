/** The known name that was probably meant. Case and the choice of `-`, `_` or `.` do not count as differences. */

/** The nearest candidate, or undefined if none is near enough to be worth a guess. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = bare(name)
  const allowed = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  let bestDistance = allowed + 1
  for (const candidate of candidates) {
    const distance = editDistance(wanted, bare(candidate), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }

  return best
}

function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[-_. ]/g, '')
}

/**
 * Letters to insert, delete, replace or swap with their neighbour to get from one text to the other (optimal string alignment).
 * Stops counting at `limit`.
 */
function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit
  let before: number[] = []
  let previous = Array.from({length: to.length + 1}, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const replace = previous[column - 1] + (same ? 0 : 1)
      const swap = swapped ? before[column - 2] + 1 : limit
      current.push(Math.min(previous[column] + 1, current[column - 1] + 1, replace, swap))
    }

    before = previous
    previous = current
  }

  return previous[to.length]
}
