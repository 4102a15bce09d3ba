/** Files that pretend to be weights of PyTorch, each with what has to be said of it. None of them may run anything. */
import {
  bytes,
  calling,
  global,
  type Part,
  SIX,
  stateOf,
  tensor,
  text,
  torchFile,
  tuple,
  whole,
  zip,
} from './torch-file.js'

/** A file with this pickle, and one storage of six numbers. */
export const named = (pickle: Uint8Array): Uint8Array => torchFile(pickle)

/** A file with a pickle of these opcodes. */
export const only = (...parts: readonly Part[]): Uint8Array => named(bytes(0x80, 2, ...parts))

const reduce = (module: string, name: string, ...args: readonly Part[]): Uint8Array =>
  only(calling(global(module, name), ...args), '.')
const entryOf = (name: string, more: object = {}): Uint8Array =>
  zip([
    {data: stateOf(), name: 'a/data.pkl', ...(name === 'data.pkl' ? more : {})},
    {data: SIX, name: 'a/data/0', ...(name === 'data/0' ? more : {})},
  ])

export const HOSTILE: Readonly<Record<string, readonly [Uint8Array, string]>> = {
  'os.system': [
    reduce('os', 'system', text('touch owned')),
    'it names "os.system", which weights do not need; nothing was run',
  ],
  'posix.system': [reduce('posix', 'system', text('touch owned')), '"posix.system"'],
  'builtins.eval': [reduce('builtins', 'eval', text('1')), '"builtins.eval"'],
  'a function of PyTorch that is not on the list': [reduce('torch', 'load', text('x')), '"torch.load"'],
  'a name that JavaScript objects have': [only(global('constructor', 'constructor'), '.'), '"constructor.constructor"'],
  'a name that would turn text around': [only(global('os', '\u202Emetsys'), '.'), String.raw`"os.\u202emetsys"`],
  'a name put together on the stack': [only(text('os'), text('system'), 0x93, '.'), '"os.system"'],
  INST: [only('(', text('touch owned'), 'ios\nsystem\n.'), 'opcode INST (0x69) is not one that weights need'],
  OBJ: [only('(', global('collections', 'OrderedDict'), 'o.'), 'opcode OBJ (0x6f)'],
  NEWOBJ: [only(global('collections', 'OrderedDict'), ')', 0x81, '.'), 'opcode NEWOBJ (0x81)'],
  'an opcode that pickle does not have': [only(0xff), 'opcode 0xff is not'],
  'an extension': [only(0x82, 1, '.'), 'opcode EXT1 (0x82)'],
  'a persistent id in text': [only('P0\n.'), 'opcode PERSID (0x50)'],
  'a persistent id in a persistent id': [
    only(
      tuple(
        text('storage'),
        global('torch', 'FloatStorage'),
        bytes(tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), whole(6)), 'Q'),
        text('cpu'),
        whole(6),
      ),
      'Q.',
    ),
    'a persistent id must be',
  ],
  'a persistent id of something else': [only(text('storage'), 'Q.'), 'a persistent id must be'],
  'a storage with a path for a key': [
    named(stateOf({a: tensor({key: '../../etc/passwd'})})),
    'a persistent id must be',
  ],
  'a storage that is called': [only(calling(global('torch', 'FloatStorage'), whole(1)), '.'), 'something is called'],
  'a call of a text': [only(calling(text('os.system'), text('x')), '.'), 'something is called'],
  'a dictionary made with arguments': [
    reduce('collections', 'OrderedDict', text('x')),
    'OrderedDict takes no arguments, got 1',
  ],
  'attributes of a tensor': [
    named(stateOf({a: bytes(tensor(), '}b')})),
    'attributes are given to something that is no dictionary',
  ],
  'a memory index that was never used': [
    only('j', 0xff, 0xff, 0xff, 0xff, '.'),
    'nothing was remembered under number 4294967295',
  ],
  'a memo that doubles': [
    only('()q', 0, ...Array.from({length: 200}, (_, i) => bytes('(', 'h', i, 'h', i, 'tq', i + 1)), 't.'),
    'its pickle holds no tensors by name',
  ],
  'a million values and one': [only('N'.repeat(1_000_001), '.'), 'there are more than 1000000 values'],
  'a pickle of 16 MiB and one byte': [named(Buffer.alloc(16 * 2 ** 20 + 1, 'N')), 'at most 16777216 are read'],
  'a pickle that is cut off': [named(stateOf().subarray(0, -40)), 'it is truncated'],
  'a pickle without an end': [named(bytes(0x80, 2, '}')), 'it is truncated: 1 more bytes are expected'],
  'an empty pickle': [named(new Uint8Array(0)), 'it is truncated'],
  'a text longer than the file': [only('X', 0xff, 0xff, 0xff, 0x7f, 'a'), 'it is truncated: 2147483647 more bytes'],
  'a text that is no text': [only(0x8c, 2, 0xff, 0xfe, '.'), 'a text is not in UTF-8'],
  'a name that does not end': [only('c', 'a'.repeat(300)), 'a name does not end within 256 bytes'],
  'a number of a thousand bytes': [only(0x8a, 200, Buffer.alloc(200, 1), '.'), 'a whole number of 200 bytes'],
  'a number beyond what is exact': [only(0x8a, 8, Buffer.alloc(8, 0x7f), '.'), 'is larger than any size in a file'],
  'a frame longer than the file': [only(0x95, Buffer.alloc(8, 0xff)), 'a frame of'],
  'more than one value': [only('NN.'), '1 more values than one are left'],
  'bytes after the end': [only('}..'), '1 bytes follow the end'],
  'a mark that is missing': [only('t.'), 'a mark is missing'],
  'an empty stack': [only('.'), 'a value is missing on the stack'],
  'a value taken from below a mark': [only('}(R.'), 'a value is missing'],
  'protocol 6': [named(bytes(0x80, 6, '}.')), 'it is of protocol 6'],
  'the same name twice': [only('}(', text('a'), tensor(), text('a'), tensor(), 'u.'), 'two values have the key "a"'],
  'a key without a value': [only('}(', text('a'), 'u.'), 'a key has no value'],
  'a key that is a number': [only('}(', whole(1), tensor(), 'u.'), 'a key of a dictionary is not a text'],
  'a list instead of a dictionary': [only(']N', 'a.'), 'its pickle holds no tensors by name'],
  'a number among the tensors': [named(stateOf({a: tensor(), step: whole(7)})), '"step": this is no tensor'],
  'a shape larger than its storage': [
    named(stateOf({a: tensor({shape: [3, 3]})})),
    'reaches past its storage of 6 numbers',
  ],
  'an offset past the storage': [named(stateOf({a: tensor({offset: 1})})), 'shape [2,3] from number 1 on reaches past'],
  'a negative offset': [named(stateOf({a: tensor({offset: 0xffffffff})})), 'a tensor must be made of'],
  'a shape that cannot be counted': [
    named(stateOf({a: tensor({shape: Array(8).fill(2 ** 30), strides: Array(8).fill(1)})})),
    'more elements than can be counted',
  ],
  'too many axes': [
    named(stateOf({a: tensor({shape: Array(9).fill(1), strides: Array(9).fill(1)})})),
    '9 axes; at most 8',
  ],
  'strides that repeat numbers': [
    named(stateOf({a: tensor({strides: [0, 1]})})),
    'shape [2,3] with strides [0,1] does not lie row by row',
  ],
  'a transposed tensor': [named(stateOf({a: tensor({strides: [1, 2]})})), 'does not lie row by row'],
  'a storage shorter than the pickle says': [
    torchFile(stateOf(), {0: SIX.subarray(4)}),
    'its storage "0" has 20 bytes, but 6 numbers of F32 take 24 bytes',
  ],
  'a storage longer than the pickle says': [
    torchFile(stateOf({a: tensor({count: 5, shape: [5], strides: [1]})})),
    'has 24 bytes, but 5 numbers',
  ],
  'a storage that is missing': [torchFile(stateOf(), {}), 'its storage "0" is missing in the file'],
  'a storage of a gigabyte that is not there': [
    named(stateOf({a: tensor({count: 2 ** 28, shape: [2 ** 28], strides: [1]})})),
    'has 24 bytes, but 268435456 numbers',
  ],
  'a zip that ends early': [torchFile().subarray(0, 200), 'this is no sound zip archive'],
  'an entry that is compressed': [entryOf('data/0', {method: 8}), 'entry "a/data/0" is compressed'],
  'an entry that is encrypted': [entryOf('data.pkl', {flags: 1}), 'entry "a/data.pkl" is encrypted'],
  'an entry past the end': [entryOf('data/0', {size: 2 ** 31}), 'this is no sound zip archive'],
  'zip64 sizes past the end': [entryOf('data/0', {zip64: 2n ** 40n}), 'this is no sound zip archive'],
  'zip64 sizes beyond what is exact': [entryOf('data/0', {zip64: 2n ** 63n}), 'this is no sound zip archive'],
  'an entry that leads out of the archive': [
    zip([{data: stateOf(), name: '../../data.pkl'}]),
    'this is no sound zip archive: "invalid relative path',
  ],
  'an entry with an absolute path': [
    zip([{data: stateOf(), name: '/data.pkl'}]),
    'this is no sound zip archive: "absolute path',
  ],
  'two entries of one name': [
    zip([
      {data: stateOf(), name: 'a/data.pkl'},
      {data: stateOf(), name: 'a/data.pkl'},
    ]),
    'two entries have the name "a/data.pkl"',
  ],
  'two pickles': [
    zip([
      {data: stateOf(), name: 'a/data.pkl'},
      {data: stateOf(), name: 'b/data.pkl'},
    ]),
    'expected one data.pkl in the archive, found 2',
  ],
  'a zip of something else': [
    zip([{data: SIX, name: 'word/document.xml'}]),
    'expected one data.pkl in the archive, found 0',
  ],
  'an archive of 20,001 entries': [
    zip(Array.from({length: 20_001}, (_, i) => ({data: new Uint8Array(0), name: String(i)}))),
    'has 20001 entries; at most 20000',
  ],
  'numbers with the most significant byte first': [
    zip([
      {data: stateOf(), name: 'a/data.pkl'},
      {data: bytes('big'), name: 'a/byteorder'},
      {data: SIX, name: 'a/data/0'},
    ]),
    'the byte order is "big"',
  ],
  'a file of before 1.6': [bytes(0x80, 2, 0x8a, 10, 'lfc'), 'this is a file of PyTorch before version 1.6'],
  'a Git LFS pointer': [bytes('version https://git-lfs.github.com/spec/v1\n'), 'this is a Git LFS pointer'],
  'an empty file': [new Uint8Array(0), 'this is no sound zip archive'],
}
