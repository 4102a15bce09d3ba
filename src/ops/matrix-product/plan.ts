/** Which shader carries out a product, over which grid. */
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {type DeviceFacts, type Grid, type Shader} from '../../backend/gpu/shader.js'
import {fewRowsGrid, fewRowsProduct, MOST_ROWS} from './few-rows.wgsl.js'
import {matrixProduct, type MatrixShape} from './matrix-units.wgsl.js'
import {plainProduct, type PlainShape} from './plain-tile.wgsl.js'
import {tileGrid} from './result.wgsl.js'
import {matrixShape, type Parts, partsOf, plainShape, type ProductSizes} from './shapes.js'
import {keyOf, type Program} from './tile-program.js'

/** How one product is carried out. */
export interface Plan {
  readonly shader: Shader
  readonly grid: Grid
  readonly parts: Parts
}

/** Up to this many rows, reading weights straight from storage beats staging them for matrix units. */
const FEW_BESIDE_UNITS = 4

const known = new WeakMap<DeviceFacts, Map<string, Plan>>()

/** What the device and the sizes call for, thought out once: a training step has hundreds of products of a few sizes. */
export function planOf(host: ShaderHost, program: Program, sizes: ProductSizes): Plan {
  let plans = known.get(host.facts)
  if (!plans) known.set(host.facts, (plans = new Map<string, Plan>()))
  const key = `${host.precision} ${sizes.m} ${sizes.k} ${keyOf(program)}`
  let plan = plans.get(key)
  if (!plan) plans.set(key, (plan = newPlan(host, program, sizes)))
  return plan
}

function newPlan(host: ShaderHost, program: Program, sizes: ProductSizes): Plan {
  const units = usesMatrixUnits(host)
  if (sizes.kind === 'NT' && sizes.m <= (units ? FEW_BESIDE_UNITS : MOST_ROWS)) return fewRowsPlan(program, sizes)
  return tilePlan(program, sizes, units ? matrixShape(sizes, host.facts) : plainShape(sizes))
}

export function usesMatrixUnits({facts, precision}: ShaderHost): boolean {
  return precision === 'f16' && facts.matrixUnits && facts.subgroupSize === 32
}

export function fewRowsPlan(program: Program, {k, m, n}: ProductSizes): Plan {
  return {grid: fewRowsGrid(m, n), parts: {parts: 1, span: k}, shader: fewRowsProduct(program, m)}
}

export function tilePlan(program: Program, sizes: ProductSizes, shape: MatrixShape | PlainShape): Plan {
  const parts = program.into ? {parts: 1, span: sizes.k} : partsOf(sizes, shape)
  const divided = parts.parts > 1
  const staged: Program = divided ? {...program, bias: false, output: 'f32'} : program
  return {
    grid: tileGrid(sizes.m, sizes.n, [shape.rows, shape.columns], parts.parts),
    parts,
    shader: 'own' in shape ? plainProduct(staged, shape, divided) : matrixProduct(staged, shape, divided),
  }
}
