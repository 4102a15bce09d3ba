/** Which tile a product is cut into, and into how many parts its sum is divided, from its sizes alone. */
import {type DeviceFacts} from '../../backend/gpu/shader.js'
import {matrixBytes, type MatrixShape} from './matrix-units.wgsl.js'
import {type PlainShape} from './plain-tile.wgsl.js'
import {type Kind} from './tile-program.js'

export interface ProductSizes {
  readonly kind: Kind
  /** Rows, columns and terms of the product */
  readonly m: number
  readonly n: number
  readonly k: number
}

/** Workgroups that keep every core of a large device busy: two on each of some 130. */
const BUSY = 264

/** Results up to this many rows or columns are one tile wide. */
const NARROW = 128

/** Terms that a part of a divided sum has at least; fewer where the terms are the rows of a batch and results are few */
const FEWEST_TERMS = 512
const FEWEST_ROWS = 64

/** Wide results, from the tile that reads least to the one that makes most workgroups */
const MATRIX_WIDE: readonly MatrixShape[] = [
  {across: 2, columns: 128, deep: 1, depth: 32, down: 2, rows: 128},
  {across: 2, columns: 128, deep: 1, depth: 32, down: 2, rows: 64},
  {across: 2, columns: 64, deep: 1, depth: 32, down: 2, rows: 64},
]

const PLAIN_WIDE: readonly PlainShape[] = [
  {columns: 128, depth: 16, own: [8, 8], rows: 128},
  {columns: 64, depth: 32, own: [4, 4], rows: 64},
]

const piecesUp = (size: number): number => Math.ceil(size / 16) * 16

const tilesOf = ({m, n}: ProductSizes, {columns, rows}: {rows: number; columns: number}): number =>
  Math.ceil(m / rows) * Math.ceil(n / columns)

export function matrixShape(sizes: ProductSizes, facts: DeviceFacts): MatrixShape {
  const fits = matrixShapes(sizes).filter((shape) => matrixBytes(shape, sizes.kind) <= facts.workgroupBytes)
  return fits.find((shape) => tilesOf(sizes, shape) >= enough(sizes)) ?? fits[fits.length - 1]
}

/** Tiles of a wide result from which the largest tile is best: its sum is divided before the tile is made smaller. */
const FEW_TILES = 16

/** Up to this many columns or rows, long tiles with divided sums beat short tiles. */
const THIN = 32

/** Divided sums make workgroups enough whatever the tile. */
const enough = ({kind, m, n}: ProductSizes): number => {
  if (kind === 'TN') return 0
  if (Math.min(m, n) > NARROW) return FEW_TILES
  return Math.min(m, n) <= THIN ? BUSY / 8 - 1 : BUSY / 2
}

/** The tiles that come into question, best first if there are workgroups enough. */
export function matrixShapes({kind, m, n}: ProductSizes): MatrixShape[] {
  if (Math.min(m, n) > NARROW) return [...MATRIX_WIDE]
  const thin = piecesUp(Math.min(m, n))
  const long = kind === 'TN' ? [128] : [128, 64, 32, 16]
  return long.map((length) => thinShape(length, thin, kind, n <= m))
}

/** A tile over the whole of the short side; subgroups divide the long side first, then the terms. */
function thinShape(length: number, thin: number, kind: Kind, standing: boolean): MatrixShape {
  const subgroups = thin <= 32 && kind !== 'TN' ? 8 : 4
  const along = Math.max(1, Math.min(4, length / 32))
  const deep = subgroups / along
  const shared = {deep, depth: thin <= 32 && kind !== 'TN' ? 128 : Math.max(64, deep * 16)}
  return standing
    ? {...shared, across: 1, columns: thin, down: along, rows: length}
    : {...shared, across: along, columns: length, down: 1, rows: thin}
}

export function plainShape(sizes: ProductSizes): PlainShape {
  const shapes = plainShapes(sizes)
  return shapes.find((shape) => tilesOf(sizes, shape) >= BUSY) ?? shapes[shapes.length - 1]
}

export function plainShapes({m, n}: ProductSizes): readonly PlainShape[] {
  if (n <= 16) return [{columns: 16, depth: 32, own: [4, 4], rows: 64}]
  if (m <= 16) return [{columns: 64, depth: 32, own: [4, 4], rows: 16}]
  return PLAIN_WIDE
}

export interface Parts {
  readonly parts: number
  /** Terms of a part */
  readonly span: number
}

/** Divides the sum where tiles alone are too few; a multiple of the depth, so that parts meet between two stagings. */
export function partsOf(
  sizes: ProductSizes,
  shape: {readonly rows: number; readonly columns: number; readonly depth: number},
): Parts {
  const {k, kind} = sizes
  const tiles = tilesOf(sizes, shape)
  const wanted = kind === 'TN' ? Math.ceil((2 * BUSY) / tiles) : Math.floor(BUSY / tiles)
  const fewest = kind === 'TN' ? FEWEST_ROWS : FEWEST_TERMS
  const parts = Math.max(1, Math.min(wanted, Math.floor(k / fewest)))
  if (parts === 1 || (kind !== 'TN' && tiles >= BUSY / 2)) return {parts: 1, span: k}
  const span = Math.ceil(k / parts / shape.depth) * shape.depth
  return {parts: Math.ceil(k / span), span}
}
