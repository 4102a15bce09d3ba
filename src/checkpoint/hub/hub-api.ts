/** Questions to the hub, through @huggingface/hub: which commit a revision is, and which files it has. */
import {datasetInfo, HubApiError, listFiles, modelInfo} from '@huggingface/hub'

import {FileError, InterruptedError, MambatuneError} from '../../errors.js'
import {quoted} from '../file-faults.js'
import {isWhole} from '../pickle-values.js'
import {type HubName, isCommit} from './hub-name.js'
import {type HubSettings} from './hub-settings.js'

/** Files of a repository, at most. */
const MOST_FILES = 10_000

export interface HubFile {
  readonly path: string
  readonly size: number
  /** Of the content: SHA-256 (64 digits), or git's own SHA-1 of small files (40 digits) */
  readonly hash: string
}

export interface HubRequest {
  readonly name: HubName
  readonly settings: HubSettings
  readonly signal?: AbortSignal | undefined
}

/** The hub could not be reached at all, so that what is in the cache may do. */
export class UnreachableError extends FileError {}

export async function commitOf(request: HubRequest): Promise<string> {
  const {name, settings} = request
  const question = {
    additionalFields: ['sha' as const],
    fetch: fetchOf(request),
    hubUrl: settings.endpoint,
    name: name.repository,
    revision: name.revision,
  }
  const {sha} = await asking<{sha: string}>(request, () =>
    name.kind === 'dataset' ? datasetInfo(question) : modelInfo(question),
  )
  if (isCommit(sha)) return sha
  throw unexpected(request, `the commit is called ${quoted(sha)}`)
}

/** All files of a commit. Whoever uses their paths has to check them. */
export async function filesOf(request: HubRequest, commit: string): Promise<ReadonlyMap<string, HubFile>> {
  const {name, settings} = request
  return asking(request, async () => {
    const files = new Map<string, HubFile>()
    const repo = {name: name.repository, type: name.kind ?? 'model'} as const
    const entries = listFiles({fetch: fetchOf(request), hubUrl: settings.endpoint, repo, revision: commit})
    for await (const {lfs, oid, path, size, type} of entries) {
      if (type !== 'file') continue
      const file = {hash: lfs?.oid ?? oid ?? '', path, size: lfs?.size ?? size}
      if (!/^(?:[\da-f]{40}|[\da-f]{64})$/.test(file.hash) || !isWhole(file.size)) {
        throw unexpected(request, `${quoted(path)} has the hash ${quoted(file.hash)} and the size ${quoted(file.size)}`)
      }

      files.set(path, file)
      if (files.size > MOST_FILES) throw unexpected(request, `there are more than ${MOST_FILES} files`)
    }

    return files
  })
}

/** 'https://…/owner/name': where the pages and files of the repository are */
export function addressOf({name: {kind, repository}, settings: {endpoint}}: HubRequest): string {
  return `${endpoint}/${kind === 'dataset' ? 'datasets/' : ''}${repository}`
}

/** `fetch` with the token, for the hub alone: it is not sent on to where the hub redirects to. */
export function fetchOf(request: HubRequest): typeof fetch {
  const {settings, signal} = request
  const {endpoint, token} = settings
  return async (address, options = {}) => {
    const headers = new Headers(options.headers)
    const url = address instanceof Request ? address.url : String(address)
    if (token !== null && new URL(url).origin === new URL(endpoint).origin) {
      headers.set('authorization', `Bearer ${token}`)
    }

    try {
      return await fetch(address, {...options, headers, ...(signal && {signal})})
    } catch (error) {
      throw signal?.aborted ? interrupted() : unreachable(request, error)
    }
  }
}

/** Turns what goes wrong on the way into errors that say what to do. */
async function asking<Result>(request: HubRequest, ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof MambatuneError) throw error
    if (request.signal?.aborted) throw interrupted()
    if (error instanceof HubApiError) throw statusError(request, error.statusCode)
    throw unexpected(request, quoted((error as Error).message))
  }
}

export function interrupted(): InterruptedError {
  return new InterruptedError('Stopped while downloading; the next time it goes on from here.')
}

/** What `fetch` or a broken connection threw. */
export function unreachable({settings: {endpoint}}: HubRequest, cause: unknown): UnreachableError {
  const {cause: deeper} = cause as {cause?: {code?: unknown}}
  const code = typeof deeper?.code === 'string' ? ` (${deeper.code})` : ''
  return new UnreachableError(`${endpoint} cannot be reached${code}.`, {
    cause,
    hint: 'Check the network, or give the directory of a model on this machine.',
  })
}

function unexpected({name, settings}: HubRequest, message: string): FileError {
  return new FileError(`${settings.endpoint} answers for ${name.repository} in a way that is not understood.`, {
    faults: [{message, where: name.repository}],
    hint: 'Check HF_ENDPOINT, or try again later.',
  })
}

/** What a status means for the one who asked. */
export function statusError(request: HubRequest, status: number, file = ''): FileError {
  const {name, settings} = request
  const {kind = 'model', repository, revision} = name
  const {token} = settings
  const what = file === '' ? repository : `${file} of ${repository}`
  if (status === 401) {
    const hint =
      token === null
        ? `Check the name. If the ${kind === 'dataset' ? 'data set' : kind} is private or wants consent, set HF_TOKEN to a token of your account.`
        : 'Check the name, and that HF_TOKEN is a token that is still valid.'
    return new FileError(`The hub does not show ${what} to ${token === null ? 'just anyone' : 'this token'} (401).`, {
      hint,
    })
  }

  if (status === 403) {
    return new FileError(`You have no access to ${what} (403).`, {
      hint: `Ask for it at ${addressOf(request)}, with the account that HF_TOKEN belongs to.`,
    })
  }

  if (status === 404) {
    return new FileError(`The hub has no ${what} at revision ${revision} (404).`, {
      hint: `Look it up at ${addressOf(request)}; a revision is a branch, a tag or a commit.`,
    })
  }

  const hint = status === 429 ? 'Wait a few minutes: there were too many requests.' : 'Try again later.'
  return new FileError(`The hub answers ${status} for ${what}.`, {hint})
}
