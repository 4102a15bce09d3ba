/** A safetensors file taken apart and put together again, so that one thing in it can be wrong. */
import {readFile, writeFile} from 'node:fs/promises'
import {rawFile} from '../checkpoint/scratch.js'

export interface TensorHeader {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

export interface SafetensorsParts {
  /** Tensors alone; `metadata` is put back beside them. */
  readonly header: Record<string, TensorHeader>
  readonly metadata: unknown
  readonly data: Buffer
}

export async function readParts(file: string): Promise<SafetensorsParts> {
  const bytes = await readFile(file)
  const begin = 8 + Number(bytes.readBigUInt64LE())
  const whole = JSON.parse(bytes.toString('utf8', 8, begin)) as Record<string, TensorHeader> & {__metadata__?: unknown}
  const {__metadata__: metadata, ...header} = whole
  return {data: bytes.subarray(begin), header, metadata}
}

export async function writeParts(file: string, {data, header, metadata}: SafetensorsParts): Promise<void> {
  await writeFile(file, rawFile(JSON.stringify({__metadata__: metadata, ...header}), data))
}

/** The file without this tensor; the others move up. */
export function without({data, header, metadata}: SafetensorsParts, name: string): SafetensorsParts {
  const [begin, end] = header[name].data_offsets
  const others = Object.entries(header).filter(([other]) => other !== name)
  const moved = others.map(
    ([
      other,
      {
        data_offsets: [from, to],
        ...rest
      },
    ]): [string, TensorHeader] => {
      const shift = from >= end ? end - begin : 0
      return [other, {...rest, data_offsets: [from - shift, to - shift]}]
    },
  )
  return {
    data: Buffer.concat([data.subarray(0, begin), data.subarray(end)]),
    header: Object.fromEntries(moved),
    metadata,
  }
}

/** The file with one more tensor at its end. */
export function withSurplus(
  {data, header, metadata}: SafetensorsParts,
  name: string,
  values: Float32Array,
): SafetensorsParts {
  const entry: TensorHeader = {
    data_offsets: [data.length, data.length + values.byteLength],
    dtype: 'F32',
    shape: [values.length],
  }
  return {data: Buffer.concat([data, Buffer.from(values.buffer)]), header: {...header, [name]: entry}, metadata}
}

/** The file with one value of an F32 tensor replaced. */
export function withValue(parts: SafetensorsParts, name: string, index: number, value: number): SafetensorsParts {
  const data = Buffer.from(parts.data)
  data.writeFloatLE(value, parts.header[name].data_offsets[0] + 4 * index)
  return {...parts, data}
}
