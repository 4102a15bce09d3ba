/**
 * Reads a pickle (https://docs.python.org/3/library/pickletools.html) that holds weights. In Python a pickle is a program
 * that may call anything. This machine knows the opcodes that PyTorch writes for a dictionary of tensors, and the names in
 * pickle-values.ts; any other is refused by name. It runs nothing, follows no name to a function, never recurses, and its
 * memory is bounded: see pickle-machine.ts.
 */
import {quoted} from './file-faults.js'
import {Machine, MARK, Refused} from './pickle-machine.js'
import {opcodeName} from './pickle-opcodes.js'
import {
  Dictionary,
  findGlobal,
  Global,
  isWhole,
  List,
  PickledTensor,
  type PickleValue,
  Storage,
  Tuple,
  Wrong,
} from './pickle-values.js'

const NEWEST_PROTOCOL = 5

/** Where it is wrong, in bytes, and how. */
export interface PickleFault {
  readonly at: number
  readonly message: string
}

/** The one value that the pickle stands for, or why it is refused. */
export function readPickle(bytes: Uint8Array): {readonly value: PickleValue} | {readonly fault: PickleFault} {
  const machine = new Machine(bytes)
  try {
    return {value: run(machine)}
  } catch (error) {
    if (error instanceof Refused) return {fault: {at: machine.at, message: error.message}}
    throw error
  }
}

function run(machine: Machine): PickleValue {
  for (let code = machine.opcode(); code !== STOP; code = machine.opcode()) {
    const carryOut = OPCODES.get(code)
    if (!carryOut) throw new Refused(`opcode ${opcodeName(code)} is not one that weights need`)
    carryOut(machine)
  }

  return machine.result()
}

function global(module: PickleValue, name: PickleValue): Global {
  if (typeof module !== 'string' || typeof name !== 'string') throw new Refused('a name is not a text')
  const found = findGlobal(module, name)
  if (!found) throw new Refused(`it names ${quoted(`${module}.${name}`)}, which weights do not need; nothing was run`)
  return found
}

function call(machine: Machine): void {
  const args = machine.pop()
  const callee = machine.pop()
  if (!(callee instanceof Global) || !callee.call || !(args instanceof Tuple)) {
    throw new Refused('something is called that is no function of the list, or with something other than a tuple')
  }

  const result = callee.call(args.items)
  if (result instanceof Wrong) throw new Refused(result.message)
  machine.push(result)
}

/** ('storage', kind, key, location, count) → the storage. The location is the device that it was on. */
function persistent(id: PickleValue): Storage {
  const [what, kind, key, location, count] = id instanceof Tuple && id.items.length === 5 ? id.items : []
  const isKey = typeof key === 'string' && /^[\w-]{1,100}$/.test(key)
  if (what !== 'storage' || !(kind instanceof Global) || !kind.dtype || !isKey || !isWhole(count)) {
    throw new Refused("a persistent id must be ('storage', a kind of storage, a key, a location, a count)")
  }

  if (typeof location !== 'string') throw new Refused('the location of a storage must be a text')
  return new Storage(kind.dtype, key, count)
}

function setItems(target: PickleValue, items: readonly PickleValue[]): void {
  if (!(target instanceof Dictionary)) throw new Refused('an item is put into something that is no dictionary')
  if (items.length % 2 !== 0) throw new Refused('a key has no value')
  for (let i = 0; i < items.length; i += 2) {
    const [key, value] = items.slice(i, i + 2)
    if (typeof key !== 'string') throw new Refused('a key of a dictionary is not a text')
    if (target.entries.has(key)) throw new Refused(`two values have the key ${quoted(key)}`)
    target.entries.set(key, value)
  }
}

function append(target: PickleValue, items: readonly PickleValue[]): void {
  if (!(target instanceof List)) throw new Refused('an item is appended to something that is no list')
  for (const item of items) target.items.push(item)
}

/** Attributes of a dictionary (PyTorch's `_metadata`) say nothing of its tensors. */
function build(machine: Machine): void {
  const state = machine.pop()
  if (!(state instanceof Dictionary) || !(machine.top() instanceof Dictionary)) {
    throw new Refused('attributes are given to something that is no dictionary')
  }
}

function setItem(machine: Machine): void {
  const value = machine.pop()
  const key = machine.pop()
  setItems(machine.top(), [key, value])
}

function tuple(machine: Machine, length: number): void {
  const items = Array.from({length}, () => machine.pop()).reverse()
  machine.push(new Tuple(items))
}

function stackGlobal(machine: Machine): void {
  const name = machine.pop()
  machine.push(global(machine.pop(), name))
}

function protocol(machine: Machine): void {
  const version = machine.byte()
  if (version > NEWEST_PROTOCOL) throw new Refused(`it is of protocol ${version}, which is not known`)
}

const codeOf = (character: string): number => character.charCodeAt(0)

const STOP = codeOf('.')

const OPCODES: ReadonlyMap<number, (machine: Machine) => void> = new Map<number, (machine: Machine) => void>([
  [0x80, protocol],
  [0x95, (machine) => machine.frame()],
  [codeOf('('), (machine) => machine.push(MARK)],
  [codeOf('}'), (machine) => machine.push(new Dictionary())],
  [codeOf(']'), (machine) => machine.push(new List())],
  [codeOf(')'), (machine) => machine.push(new Tuple([]))],
  [codeOf('t'), (machine) => machine.push(new Tuple(machine.popToMark()))],
  [0x85, (machine) => tuple(machine, 1)],
  [0x86, (machine) => tuple(machine, 2)],
  [0x87, (machine) => tuple(machine, 3)],
  [codeOf('N'), (machine) => machine.push(null)],
  [0x88, (machine) => machine.push(true)],
  [0x89, (machine) => machine.push(false)],
  [codeOf('J'), (machine) => machine.push(machine.int32())],
  [codeOf('K'), (machine) => machine.push(machine.byte())],
  [codeOf('M'), (machine) => machine.push(machine.uint16())],
  [0x8a, (machine) => machine.push(machine.long())],
  [codeOf('X'), (machine) => machine.push(machine.text(machine.uint32()))],
  [0x8c, (machine) => machine.push(machine.text(machine.byte()))],
  [codeOf('q'), (machine) => machine.remember(machine.byte())],
  [codeOf('r'), (machine) => machine.remember(machine.uint32())],
  [0x94, (machine) => machine.remember(machine.remembered)],
  [codeOf('h'), (machine) => machine.recall(machine.byte())],
  [codeOf('j'), (machine) => machine.recall(machine.uint32())],
  [codeOf('c'), (machine) => machine.push(global(machine.line(), machine.line()))],
  [0x93, stackGlobal],
  [codeOf('R'), call],
  [codeOf('Q'), (machine) => machine.push(persistent(machine.pop()))],
  [codeOf('s'), setItem],
  [codeOf('u'), (machine) => setItemsAboveMark(machine)],
  [codeOf('a'), (machine) => appendOne(machine)],
  [codeOf('e'), (machine) => appendAboveMark(machine)],
  [codeOf('b'), build],
])

function setItemsAboveMark(machine: Machine): void {
  const items = machine.popToMark()
  setItems(machine.top(), items)
}

function appendOne(machine: Machine): void {
  const item = machine.pop()
  append(machine.top(), [item])
}

function appendAboveMark(machine: Machine): void {
  const items = machine.popToMark()
  append(machine.top(), items)
}

/** The tensors of a state dictionary by name, and what else it holds. */
export function tensorsOf(value: PickleValue): {
  tensors: ReadonlyMap<string, PickledTensor>
  others: readonly string[]
} {
  const tensors = new Map<string, PickledTensor>()
  const others: string[] = []
  if (value instanceof Dictionary) {
    for (const [name, item] of value.entries) {
      if (item instanceof PickledTensor) tensors.set(name, item)
      else others.push(name)
    }
  }

  return {others, tensors}
}
