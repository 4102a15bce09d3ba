/**
 * What a pickle of weights is made of: numbers, texts, lists, dictionaries with texts as keys, and the few names of PyTorch
 * that stand for tensors. A name is a label here and never a function of any program; what is not listed has no meaning.
 */
import {type SafetensorsDtype} from './dtypes.js'
import {counted, quoted} from './file-faults.js'
import {elementCount} from './safetensors-header.js'

export type PickleValue =
  Dictionary | Global | List | PickledTensor | Storage | Tuple | boolean | null | number | string

export class Tuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class List {
  readonly items: PickleValue[] = []
}

export class Dictionary {
  readonly entries = new Map<string, PickleValue>()
}

/** A run of numbers that lies in the file under `key`. */
export class Storage {
  constructor(
    readonly dtype: SafetensorsDtype,
    readonly key: string,
    readonly elements: number,
  ) {}
}

/** Numbers of a storage from `offset` on, row by row. */
export class PickledTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
  ) {}
}

/** A name that weights need. `call` makes a value of arguments, or says what is wrong with them. */
export class Global {
  constructor(
    readonly name: string,
    readonly dtype: SafetensorsDtype | null,
    readonly call: ((args: readonly PickleValue[]) => PickleValue | Wrong) | null,
  ) {}
}

export class Wrong {
  constructor(readonly message: string) {}
}

const STORAGES: Readonly<Record<string, SafetensorsDtype>> = {
  BFloat16Storage: 'BF16',
  BoolStorage: 'BOOL',
  ByteStorage: 'U8',
  CharStorage: 'I8',
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  IntStorage: 'I32',
  LongStorage: 'I64',
  ShortStorage: 'I16',
}

const GLOBALS: ReadonlyMap<string, Global> = new Map(
  [
    new Global('collections.OrderedDict', null, orderedDictionary),
    new Global('torch._utils._rebuild_parameter', null, rebuildParameter),
    new Global('torch._utils._rebuild_tensor_v2', null, rebuildTensor),
    ...Object.entries(STORAGES).map(([name, dtype]) => new Global(`torch.${name}`, dtype, null)),
  ].map((known) => [known.name, known]),
)

export function findGlobal(module: string, name: string): Global | null {
  return GLOBALS.get(`${module}.${name}`) ?? null
}

/** Axes of a tensor, at most. */
const MOST_AXES = 8

function orderedDictionary(args: readonly PickleValue[]): PickleValue | Wrong {
  return args.length === 0 ? new Dictionary() : new Wrong(`OrderedDict takes no arguments, got ${args.length}`)
}

/** (tensor, requires_grad, hooks): a parameter is its tensor. */
function rebuildParameter([tensor]: readonly PickleValue[]): PickleValue | Wrong {
  return tensor instanceof PickledTensor ? tensor : new Wrong('_rebuild_parameter takes a tensor')
}

/** (storage, offset, size, stride, requires_grad, hooks, metadata?) */
function rebuildTensor([storage, offset, size, stride]: readonly PickleValue[]): PickleValue | Wrong {
  const shape = wholeNumbers(size)
  const strides = wholeNumbers(stride)
  if (!(storage instanceof Storage) || !isWhole(offset) || !shape || !strides || strides.length !== shape.length) {
    return new Wrong('a tensor must be made of a storage, an offset, sizes and as many strides, whole numbers from 0')
  }

  if (shape.length > MOST_AXES) return new Wrong(`a tensor has ${shape.length} axes; at most ${MOST_AXES} may be`)
  const count = elementCount(shape)
  if (count === null) return new Wrong(`shape ${quoted(shape)} has more elements than can be counted`)
  if (count > 0 && !isContiguous(shape, strides)) {
    return new Wrong(`shape ${quoted(shape)} with strides ${quoted(strides)} does not lie row by row`)
  }

  if (!(offset + count <= storage.elements)) {
    const there = counted(storage.elements, 'number')
    return new Wrong(`shape ${quoted(shape)} from number ${offset} on reaches past its storage of ${there}`)
  }

  return new PickledTensor(storage, offset, shape)
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]
  }

  return true
}

export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function wholeNumbers(value: PickleValue | undefined): readonly number[] | null {
  return value instanceof Tuple && value.items.every(isWhole) ? value.items : null
}
