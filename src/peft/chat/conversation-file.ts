/**
 * A conversation as a file: one safetensors file with the state of each voice, `<voice>.<layer>.scan` and `.window`, and the
 * transcript as JSON in its metadata. Whatever was read, the tensors take the same room: a Mamba's history is one state.
 */
import {open} from 'node:fs/promises'
import {z} from 'zod'
import {fromFloat32} from '../../checkpoint/dtypes.js'
import {
  readSafetensorsHeader,
  readTensorFloat32,
  type TensorSource,
  writeSafetensors,
} from '../../checkpoint/safetensors.js'
import {type CheckpointTensor, digestOf} from '../../checkpoint/training-checkpoint.js'
import {parseJson} from '../../checkpoint/json-text.js'
import {FileError} from '../../errors.js'
import {type StateValues} from '../../model/state-values.js'
import {type Turn} from './conversation.js'
import {type Mark} from './voice.js'

const FORMAT = 'mambatune-conversation'
const VERSION = '1'

export interface SavedVoice extends Mark {
  readonly name: string
  readonly digest: string | null
}

export interface SavedConversation {
  /** Fingerprint of the model's weights */
  readonly model: string
  readonly template: 'chat' | 'plain'
  readonly system: string | null
  readonly attempts: number
  readonly turns: readonly Turn[]
  readonly voices: readonly SavedVoice[]
}

const count = z.int().min(0)

const schema = z.strictObject({
  attempts: count,
  model: z.string(),
  system: z.string().nullable(),
  template: z.enum(['chat', 'plain']),
  turns: z.array(
    z.strictObject({
      answers: z.array(z.strictObject({end: z.enum(['end', 'interrupted', 'length']), text: z.string()})),
      user: z.string(),
    }),
  ),
  voices: z.array(
    z.strictObject({
      digest: z.string().nullable(),
      ids: z.array(count),
      layers: count,
      name: z.string(),
      text: z.string(),
      unread: count,
    }),
  ),
})

/** Over another file only if that is a conversation too. Errors: FileError. */
export async function saveConversation(file: string, saved: SavedConversation): Promise<void> {
  await refuseForeignFile(file)
  const tensors = new Map(saved.voices.flatMap(({state}, voice) => tensorsOf(voice, state ?? [])))
  const voices = saved.voices.map(({state, ...voice}) => ({...voice, layers: state?.length ?? 0}))
  const text = JSON.stringify({...saved, voices})
  const sources = [...tensors].map(([name, {shape, values}]): TensorSource => ({
    bytes: () => Promise.resolve(fromFloat32(values, 'F32')),
    dtype: 'F32',
    name,
    shape,
  }))
  const metadata = {conversation: text, format: FORMAT, sha256: digestOf(text, tensors), version: VERSION}
  await writeSafetensors(file, sources, metadata)
}

/** Errors: FileError if it is no conversation, or damaged. */
export async function readConversation(file: string): Promise<SavedConversation> {
  const {entries, metadata} = await readSafetensorsHeader(file)
  const {conversation: text = '', format, sha256, version} = metadata
  if (format !== FORMAT) throw noConversation(file, 'it is a safetensors file of another kind')
  if (version !== VERSION) throw noConversation(file, `it is of version ${version}, and this program reads ${VERSION}`)
  const tensors = new Map<string, CheckpointTensor>()
  for (const [name, entry] of entries) {
    tensors.set(name, {shape: entry.shape, values: await readTensorFloat32(entry)})
  }
  if (digestOf(text, tensors) !== sha256) throw noConversation(file, 'its content is not what its SHA-256 says')
  const {faults, value} = parseJson(text)
  if (faults.length > 0) throw noConversation(file, 'its text is no JSON')
  const {data, error} = schema.safeParse(value)
  if (!data) {
    const faults = error.issues.map(({message, path}) => ({message, where: path.map(String).join('.')}))
    throw new FileError(`${file} does not hold a conversation.`, {faults})
  }
  const voices = data.voices.map(({layers, ...voice}, index) => ({
    ...voice,
    state: layers === 0 ? null : stateIn(tensors, index, layers, file),
  }))
  return {...data, voices}
}

function tensorsOf(voice: number, state: StateValues): [string, CheckpointTensor][] {
  return state.flatMap(({scan, window}, layer): [string, CheckpointTensor][] => [
    [`${voice}.${layer}.scan`, scan],
    [`${voice}.${layer}.window`, window],
  ])
}

function stateIn(
  tensors: ReadonlyMap<string, CheckpointTensor>,
  voice: number,
  layers: number,
  file: string,
): StateValues {
  return Array.from({length: layers}, (_, layer) => {
    const scan = tensors.get(`${voice}.${layer}.scan`)
    const window = tensors.get(`${voice}.${layer}.window`)
    if (!scan || !window) throw noConversation(file, `the state of layer ${layer} is missing`)
    return {scan, window}
  })
}

async function refuseForeignFile(file: string): Promise<void> {
  const isThere = await open(file).then(
    (handle) => handle.close().then(() => true),
    () => false,
  )
  if (!isThere) return
  const format = await readSafetensorsHeader(file).then(
    ({metadata}) => metadata['format'],
    () => null,
  )
  if (format === FORMAT) return
  throw new FileError(`${file} is there already and is no conversation; it was not written over.`, {
    hint: 'Name another file.',
  })
}

function noConversation(file: string, reason: string): FileError {
  return new FileError(`${file} is not a conversation that can go on: ${reason}.`, {
    hint: 'Name a file that /save has written in mambatune chat.',
  })
}
