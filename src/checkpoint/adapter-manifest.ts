/**
 * adapter.json: which model an adapter was trained on and what its parts are. Settings of the parts are passed through
 * as they are; each method in `peft/` checks its own. Keys that are not known are left out.
 */
import {z} from 'zod'

import {type Fault} from '../errors.js'
import {quoted} from './file-faults.js'
import {isObject, readJsonFile} from './json-file.js'

export const ADAPTER_FORMAT = 'mambatune-adapter'

export interface AdapterManifest {
  readonly format: typeof ADAPTER_FORMAT
  /** 2 if the base is under a norm that programs of version 1 would leave out without a word */
  readonly version: 1 | 2
  readonly base: {
    readonly path: string
    readonly fingerprint: string
    readonly architecture: string
    /** ε of the norm on Δ, B and C that the base was given for training; absent: it was trained as it is */
    readonly mixer_rms_eps?: number | undefined
  }
  readonly adapters: readonly Record<string, unknown>[]
  readonly created_with: string
}

export interface ManifestResult {
  /** Null when `faults` say what is wrong. */
  readonly manifest: AdapterManifest | null
  readonly faults: readonly Fault[]
}

const text = z.string().min(1, 'expected a text that is not empty')

const manifestSchema: z.ZodType<AdapterManifest> = z.object({
  adapters: z.array(z.record(z.string(), z.unknown())).min(1, 'expected at least one part'),
  base: z.object({
    architecture: text,
    fingerprint: z.string().regex(/^sha256:[\da-f]{64}$/, "expected 'sha256:' and 64 hexadecimal digits"),
    mixer_rms_eps: z.number().positive('expected a number above 0').optional(),
    path: text,
  }),
  created_with: text,
  format: z.literal(ADAPTER_FORMAT),
  version: z.union([z.literal(1), z.literal(2)], 'expected 1 or 2'),
})

export async function readManifestFile(file: string): Promise<ManifestResult> {
  const {faults, object} = await readJsonFile(file)
  return object === null ? {faults, manifest: null} : checkManifest(object, file)
}

export function checkManifest(value: unknown, file: string): ManifestResult {
  const result = manifestSchema.safeParse(value)
  if (result.success) return {faults: [], manifest: result.data}
  const faults = result.error.issues.map(({message, path}) => ({
    message: `${message}, got ${quoted(at(value, path))}`,
    where: `${file}: ${path.join('.')}`,
  }))
  // A later version may mean anything by the other keys, so that only this one says what is wrong.
  const version = faults.filter(({where}) => where === `${file}: version`)
  const ours = isObject(value) && value.format === ADAPTER_FORMAT
  return {faults: ours && version.length > 0 ? version : faults, manifest: null}
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}
