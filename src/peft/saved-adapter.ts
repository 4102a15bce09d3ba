/**
 * Adapters in files: ours, and Hugging Face PEFT's LoRA. Whatever the format, what comes out are settings as a recipe
 * has them and values by our names.
 */
import {readdir} from 'node:fs/promises'
import {
  type AdapterManifest,
  isAdapterDirectory,
  isPeftAdapter,
  readAdapterDirectory,
  readPeftFiles,
  writeAdapterDirectory,
} from '../checkpoint/adapter-directory.js'
import {programVersion} from '../checkpoint/program-version.js'
import {type Fault, FileError, MismatchError} from '../errors.js'
import {type ParameterValues} from './method.js'
import {fromPeft} from './from-peft.js'
import {fullValuesSettings} from './full-values-settings.js'
import {type AdapterSettings, methodSchemas} from './method-settings.js'

export interface SavedAdapter {
  readonly format: 'mambatune' | 'peft'
  readonly settings: readonly AdapterSettings[]
  readonly values: ReadonlyMap<string, ParameterValues>
  /** Tensors of the base that the file repeats, by their checkpoint names; they must be those of the model. */
  readonly copies?: ReadonlyMap<string, ParameterValues>
  /** What the adapter was trained on; PEFT's files name neither fingerprint nor architecture. */
  readonly base: {
    readonly path: string
    readonly fingerprint: string | null
    readonly architecture?: string
    /** ε of the norm that the base was given; see base-norm.ts */
    readonly mixer_rms_eps?: number | undefined
  }
}

/** Reads an adapter directory of either format. Errors: FileError. */
export async function readAdapter(path: string): Promise<SavedAdapter> {
  if (await isAdapterDirectory(path)) {
    const {manifest, tensors} = await readAdapterDirectory(path)
    return {
      base: manifest.base,
      format: 'mambatune',
      settings: settingsOf(manifest, path),
      values: tensors,
    }
  }
  if (await isPeftAdapter(path)) return {format: 'peft', ...fromPeft(await readPeftFiles(path), path)}
  const found = await readdir(path).catch(() => null)
  throw new FileError(found ? `${path} holds no adapter.` : `${path} does not exist.`, {
    hint: 'Name a directory with adapter.json (written by mambatune train as <out>/adapter) or adapter_config.json (PEFT).',
  })
}

function settingsOf({adapters}: AdapterManifest, path: string): AdapterSettings[] {
  const faults: Fault[] = []
  const settings = adapters.flatMap((entry, index) => {
    const schema = [...methodSchemas, fullValuesSettings].find(
      (candidate) => candidate.shape.method.value === entry.method,
    )
    const where = `${path}/adapter.json adapters.${index}`
    if (!schema) {
      faults.push({message: `method ${JSON.stringify(entry.method ?? null)} is not known to this version`, where})
      return []
    }
    const parsed = schema.safeParse(entry)
    if (parsed.success) return [parsed.data]
    for (const issue of parsed.error.issues) {
      faults.push({message: issue.message, where: [where, ...issue.path].join('.')})
    }
    return []
  })
  if (faults.length > 0) throw new FileError('The adapter cannot be read.', {faults})
  return settings
}

/** Writes <path>/adapter.json and <path>/adapter.safetensors, whole or not at all. */
export async function saveAdapter(
  path: string,
  {settings, values}: Pick<SavedAdapter, 'settings' | 'values'>,
  base: AdapterManifest['base'],
): Promise<void> {
  const manifest: AdapterManifest = {
    adapters: settings,
    base,
    created_with: `mambatune ${programVersion()}`,
    format: 'mambatune-adapter',
    version: base.mixer_rms_eps === undefined ? 1 : 2,
  }
  await writeAdapterDirectory(path, manifest, values)
}

/**
 * Refuses an adapter that was trained on other weights. `anyBase` accepts it where the shapes fit; undefined says that
 * the caller has no such choice.
 */
export function checkBase(
  {base, format}: SavedAdapter,
  model: {readonly path: string; readonly fingerprint: string},
  anyBase?: boolean,
): void {
  if (format === 'peft' || anyBase || base.fingerprint === model.fingerprint) return
  throw new MismatchError('The adapter was trained on another model.', {
    faults: [
      {message: `trained on ${base.path}, ${base.fingerprint ?? 'unknown weights'}`, where: 'adapter'},
      {message: `${model.path}, ${model.fingerprint}`, where: 'model'},
    ],
    hint: `Use the model that it was trained on, ${base.path}${anyBase === undefined ? '' : '; or add --any-base if these are the same weights in another number format'}.`,
  })
}
