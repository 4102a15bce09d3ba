/** Where the hub is and where its files are kept: the environment variables of Hugging Face's own programs. */
import path from 'node:path'

import {FileError} from '../../errors.js'
import {quoted} from '../file-faults.js'

export interface HubSettings {
  /** HF_HUB_CACHE, or `hub` in HF_HOME */
  readonly cache: string
  /** HF_ENDPOINT, without a slash at the end */
  readonly endpoint: string
  /** HF_TOKEN; null: nobody in particular asks */
  readonly token: string | null
  /** HF_HUB_OFFLINE: nothing is asked, what the cache holds is used. */
  readonly offline: boolean
}

const ENDPOINT = 'https://huggingface.co'

type Environment = Readonly<Record<string, string | undefined>>

/** `home` is the user's directory. Errors: FileError for an endpoint that is no address. */
export function hubSettings(environment: Environment, home: string): HubSettings {
  const given = (name: string): string | undefined => environment[name] || undefined
  const caches = given('XDG_CACHE_HOME') ?? path.join(home, '.cache')
  const hubHome = inHome(given('HF_HOME') ?? path.join(caches, 'huggingface'), home)
  const cache = given('HF_HUB_CACHE') ?? given('HUGGINGFACE_HUB_CACHE') ?? path.join(hubHome, 'hub')
  return {
    cache: inHome(cache, home),
    endpoint: addressOf(given('HF_ENDPOINT') ?? ENDPOINT),
    offline: /^(?:1|true|yes|on)$/i.test(given('HF_HUB_OFFLINE') ?? ''),
    token: given('HF_TOKEN')?.trim() ?? null,
  }
}

function inHome(directory: string, home: string): string {
  return directory === '~' || directory.startsWith('~/') ? path.join(home, directory.slice(1)) : directory
}

function addressOf(text: string): string {
  if (!/^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '')) {
    throw new FileError(`HF_ENDPOINT is ${quoted(text)}, expected an address that begins with https:// or http://`, {
      hint: `Remove it, or set it to ${ENDPOINT}.`,
    })
  }

  return text.replace(/\/+$/, '')
}
