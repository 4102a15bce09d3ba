// Every way to carry out a product that bench/gpu-products.mjs times: the library's own tiles, and others beside them.
import {MOST_ROWS} from '../dist/ops/matrix-product/few-rows.wgsl.js'
import {matrixBytes} from '../dist/ops/matrix-product/matrix-units.wgsl.js'
import {fewRowsPlan, tilePlan, usesMatrixUnits} from '../dist/ops/matrix-product/plan.js'
import {matrixShapes, plainShapes} from '../dist/ops/matrix-product/shapes.js'

const up = (size) => Math.ceil(size / 16) * 16

/** Tiles for results with a long and a short side, beyond those that the library tries. */
function thinTiles({kind, m, n}) {
  const thin = up(Math.min(m, n))
  const tiles = []
  for (const length of [16, 32, 64, 128]) {
    for (const along of [1, 2, 4]) {
      for (const deep of [1, 2, 4, 8]) {
        for (const depth of [32, 64, 128, 256]) {
          const pieces = (length / 16 / along) * (thin / 16)
          if (length / 16 < along || along * deep < 4 || along * deep > 8) continue
          if (depth / 16 < deep || pieces > 16 || length * depth > 16_384 || length * depth < 2048) continue
          if (kind === 'TN' && length < 64) continue
          tiles.push(
            n <= m
              ? {across: 1, columns: thin, deep, depth, down: along, rows: length}
              : {across: along, columns: length, deep, depth, down: 1, rows: thin},
          )
        }
      }
    }
  }
  return tiles
}

const WIDE_TILES = [
  {across: 2, columns: 128, deep: 1, depth: 32, down: 2, rows: 128},
  {across: 2, columns: 128, deep: 1, depth: 64, down: 2, rows: 128},
  {across: 2, columns: 128, deep: 1, depth: 32, down: 2, rows: 64},
  {across: 2, columns: 64, deep: 1, depth: 32, down: 2, rows: 128},
  {across: 2, columns: 64, deep: 1, depth: 32, down: 2, rows: 64},
  {across: 2, columns: 64, deep: 1, depth: 64, down: 2, rows: 64},
  {across: 4, columns: 256, deep: 1, depth: 32, down: 2, rows: 128},
  {across: 4, columns: 128, deep: 1, depth: 32, down: 2, rows: 128},
]

const moreTiles = (sizes) => (Math.min(sizes.m, sizes.n) <= 128 ? thinTiles(sizes) : WIDE_TILES)

const name = (shape) =>
  'own' in shape
    ? `plain ${shape.rows}×${shape.columns}×${shape.depth}`
    : `units ${shape.rows}×${shape.columns}×${shape.depth} by ${shape.down}×${shape.across}×${shape.deep}`

export function variants(host, program, sizes, more) {
  const found = new Map()
  if (sizes.kind === 'NT' && sizes.m <= MOST_ROWS) found.set('few rows', () => fewRowsPlan(program, sizes))
  const units = usesMatrixUnits(host)
    ? [...matrixShapes(sizes), ...(more ? moreTiles(sizes) : [])].filter(
        (shape) => matrixBytes(shape, sizes.kind) <= host.facts.workgroupBytes,
      )
    : []
  const plain = units.length > 0 && sizes.m * sizes.n * sizes.k > 2e10 ? [] : plainShapes(sizes)
  for (const shape of [...units, ...plain]) {
    const key = name(shape)
    if (!found.has(key)) found.set(key, () => tilePlan(program, sizes, shape))
  }
  return [...found].map(([key, plan]) => ({name: key, plan}))
}
