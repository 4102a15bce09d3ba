import {describe, expect, test} from '@jest/globals'
import {fromFloat32} from '../../src/checkpoint/dtypes.js'
import {readSafetensorsHeader, type TensorSource, writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {FileError} from '../../src/errors.js'
import {type AffixKind, type AffixTensors, readAffix} from '../../src/peft/affix-tensors.js'
import {goldenPath} from '../support/golden.js'
import {configIn} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const config = await configIn(goldenPath('mamba1'))
const {hidden, inner, layers} = config
const ROWS = 3

/** A number of its own for each place. */
const valueOf = (row: number, layer: number, column: number): number => 1000 * row + 200 * layer + column

function layerValues(layer: number, width: number): Float32Array {
  return Float32Array.from({length: ROWS * width}, (_, at) => valueOf(Math.trunc(at / width), layer, at % width))
}

/** (n, L, width), row-major */
function allLayers(width: number): Float32Array {
  const rows = Array.from({length: ROWS}, (_, row) =>
    Array.from({length: layers}, (_, layer) => Array.from({length: width}, (_, column) => valueOf(row, layer, column))),
  )
  return Float32Array.from(rows.flat(2))
}

async function read(kind: AffixKind, tensors: Record<string, [number[], Float32Array]>): Promise<AffixTensors> {
  const sources = Object.entries(tensors).map(([name, [shape, values]]): TensorSource => ({
    bytes: async () => fromFloat32(values, 'F32'),
    dtype: 'F32',
    name,
    shape,
  }))
  await writeSafetensors(inWork('affix.safetensors'), sources, {})
  return readAffix(await readSafetensorsHeader(inWork('affix.safetensors')), kind, config, 'affix.safetensors')
}

describe('vectors in files', () => {
  const expected = (width: number): AffixTensors => ({
    length: ROWS,
    rows: Array.from({length: layers}, (_, layer) => layerValues(layer, width)),
  })

  test.each<[string, AffixKind, number]>([
    ['an affix', 'affix', 2 * inner],
    ['an affix without the gate half', 'affix', inner],
    ['a prefix', 'prefix', hidden],
  ])('%s: all layers in one tensor, flat or not, or a tensor for each', async (_name, kind, width) => {
    const all = allLayers(width)
    expect(await read(kind, {'encoder.weight': [[ROWS, layers * width], all]})).toEqual(expected(width))
    expect(await read(kind, {'encoder.weight': [[ROWS, layers, width], all]})).toEqual(expected(width))
    const each = Array.from({length: layers}, (_, layer) => {
      const tensor: [number[], Float32Array] = [[ROWS, width], layerValues(layer, width)]
      return [`backbone.layers.${layer}.mixer.affix`, tensor] as const
    })
    expect(await read(kind, Object.fromEntries(each.reverse()))).toEqual(expected(width))
  })

  test('a prompt is one tensor', async () => {
    const values = layerValues(0, hidden)
    expect(await read('prompt', {prompt_embeddings: [[ROWS, hidden], values]})).toEqual({length: ROWS, rows: [values]})
  })

  test('other shapes, and layers that are missing, are refused with the shapes that would do', async () => {
    const one: [number[], Float32Array] = [[ROWS, inner], layerValues(0, inner)]
    await expect(read('affix', {'layers.0': one})).rejects.toThrow(FileError)
    await expect(read('affix', {'layers.0': one, 'layers.7': one})).rejects.toThrow(FileError)
    await expect(read('prompt', {a: [[ROWS, 7], new Float32Array(ROWS * 7)]})).rejects.toMatchObject({
      faults: [{message: 'has shape [3, 7]', where: 'a'}],
      message: expect.stringContaining(`(n, ${hidden})`),
    })
  })
})
