/** The shaders of matrix products in every layout, format and tile. */
import {fewRowsProduct, MOST_ROWS} from '../../src/ops/matrix-product/few-rows.wgsl.js'
import {matrixBytes, matrixProduct} from '../../src/ops/matrix-product/matrix-units.wgsl.js'
import {plainProduct} from '../../src/ops/matrix-product/plain-tile.wgsl.js'
import {matrixShapes, plainShapes, type ProductSizes} from '../../src/ops/matrix-product/shapes.js'
import {sumParts} from '../../src/ops/matrix-product/sum-parts.wgsl.js'
import {type Kind, type Program} from '../../src/ops/matrix-product/tile-program.js'
import {combine, type Entry, everywhere, fitted, FLOATS, formatsOf, pairwise} from './shader-variants.js'

const KINDS: readonly Kind[] = ['NT', 'NN', 'TN']

/** Wide and narrow results with rows, columns and terms that fill vectors and tiles, and that do not. */
const SIZES = [
  {k: 64, m: 512, n: 512},
  {k: 37, m: 333, n: 5},
  {k: 48, m: 16, n: 320},
  {k: 256, m: 256, n: 80},
  {k: 10, m: 24, n: 1037},
]

const STORED = combine({aligned: [true, false], format: FLOATS})

/** Both operands alike, and each beside one that differs in everything. */
const OPERANDS = STORED.flatMap((left) => [
  {left, right: left},
  {left, right: STORED[STORED.length - 1 - STORED.indexOf(left)]},
])

interface Tiled<Shape> {
  readonly program: Program
  readonly shape: Shape
  readonly divided: boolean
}

/** Programs of one size, each with one of the shapes; every two choices meet. */
function tiled<Shape>(sizes: ProductSizes, shapes: readonly Shape[]): Tiled<Shape>[] {
  const {k, kind, m, n} = sizes
  const extensions = kind === 'TN' ? [] : [3, 16].map((rank) => ({left: STORED[0], rank, right: STORED[3]}))
  return pairwise({
    bias: kind === 'TN' ? [false] : [true, false],
    divided: [false, true],
    extension: [null, ...extensions],
    into: kind === 'TN' ? [null] : [null, {adds: false, stride: 1037}, {adds: true, stride: 1040}],
    operands: OPERANDS,
    output: formatsOf(n),
    shape: shapes,
  }).map(({bias, divided: isDivided, extension, into, operands, output, shape}) => {
    // Parts of a larger result are neither divided nor, where they are terms of a sum, f16.
    const divided = isDivided && !into
    // A part of a divided sum is unfinished: f32, and the bias is added with the other parts.
    const rest = divided
      ? {bias: false, output: 'f32' as const}
      : {bias, output: into && (into.adds || into.stride % 8 !== 0) ? ('f32' as const) : output, ...(into && {into})}
    return {
      divided,
      program: {...operands, ...rest, columns: n, extension, fixed: kind === 'TN' ? m : k, kind},
      shape,
    }
  })
}

function inTiles<Shape>(shapesOf: (sizes: ProductSizes) => readonly Shape[]): [Program, Shape, boolean][] {
  return combine({kind: KINDS, sizes: SIZES}).flatMap(({kind, sizes}) =>
    tiled({kind, ...sizes}, shapesOf({kind, ...sizes})).map(({divided, program, shape}): [Program, Shape, boolean] => [
      program,
      shape,
      divided,
    ]),
  )
}

export const PRODUCT_SHADERS: readonly Entry[] = [
  everywhere(plainProduct, inTiles(plainShapes)),
  fitted(
    matrixProduct,
    ({workgroupBytes}) => inTiles(matrixShapes).filter(([{kind}, shape]) => matrixBytes(shape, kind) <= workgroupBytes),
    ['matrix units'],
  ),
  everywhere(
    fewRowsProduct,
    SIZES.flatMap((sizes) => tiled({...sizes, kind: 'NT'}, [1, 3, MOST_ROWS]))
      .filter(({divided}) => !divided)
      .map(({program, shape}): [Program, number] => [program, shape]),
  ),
  everywhere(
    sumParts,
    combine({bias: [true, false], columns: [5, 64], output: FLOATS, parts: [2, 8, 32]})
      .filter(({columns, output}) => output === 'f32' || columns % 8 === 0)
      .map((program) => [program]),
  ),
]
