/**
 * Messages of TensorFlow's event.proto and summary.proto, as far as curves need them, in the wire format of protocol
 * buffers: a key (field number · 8 + kind), then the value.
 *
 *   Event        {1: wall_time double, 2: step int64, 3: file_version string, 5: summary Summary, 7: session_log SessionLog}
 *   Summary      {1: repeated Value}       Value {1: tag string, 2: simple_value float}
 *   SessionLog   {1: status enum, START = 1}
 */
const VARINT = 0
const EIGHT_BYTES = 1
const DELIMITED = 2
const FOUR_BYTES = 5

const START = 1

/** A curve's name and its value at this step. */
export type Scalar = readonly [tag: string, value: number]

/** The first message of a file: readers tell by it that they can read on. */
export function versionEvent(wallTime: number): Uint8Array {
  return join([...when(wallTime, 0), ...delimited(3, new TextEncoder().encode('brain.Event:2'))])
}

/** A program begins, or begins again, after that step: what an earlier file says of later steps counts no longer. */
export function startEvent(wallTime: number, step: number): Uint8Array {
  return join([...when(wallTime, step), ...delimited(7, join([...key(1, VARINT), Uint8Array.of(START)]))])
}

export function scalarsEvent(wallTime: number, step: number, scalars: readonly Scalar[]): Uint8Array {
  const values = scalars.flatMap(([tag, value]) =>
    delimited(1, join([...delimited(1, new TextEncoder().encode(tag)), ...key(2, FOUR_BYTES), float(value)])),
  )
  return join([...when(wallTime, step), ...delimited(5, join(values))])
}

function when(wallTime: number, step: number): Uint8Array[] {
  return [...key(1, EIGHT_BYTES), double(wallTime), ...key(2, VARINT), varint(step)]
}

function key(field: number, kind: number): Uint8Array[] {
  return [varint(field * 8 + kind)]
}

function delimited(field: number, content: Uint8Array): Uint8Array[] {
  return [...key(field, DELIMITED), varint(content.length), content]
}

/** Seven bits a byte, the lowest first; all but the last byte have their top bit set. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Uint8Array.from([...bytes, rest])
}

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value, true)
  return bytes
}

function float(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return bytes
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
