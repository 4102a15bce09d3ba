/** Curves of long runs with no more points than can be seen: neighbours become their mean. */
export interface Point {
  readonly x: number
  readonly y: number
}

const MOST_POINTS = 400

export function thin(points: readonly Point[], most = MOST_POINTS): readonly Point[] {
  const finite = points.filter(({y}) => Number.isFinite(y))
  if (finite.length <= most) return finite
  return Array.from({length: most}, (_, index) => {
    const [from, to] = [index, index + 1].map((edge) => Math.floor((edge * finite.length) / most))
    const bucket = finite.slice(from, to)
    return {x: mean(bucket.map(({x}) => x)), y: mean(bucket.map(({y}) => y))}
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
