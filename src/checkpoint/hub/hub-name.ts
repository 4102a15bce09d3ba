/** Names of models and data sets on the hub: owner/name, with a branch, a tag or a commit after @ if it is not the newest of `main`. */

export interface HubName {
  /** 'state-spaces/mamba-130m-hf' */
  readonly repository: string
  readonly revision: string
  /** A model where left out */
  readonly kind?: 'model' | 'dataset'
}

const PART = String.raw`[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-]))*`
const NAME = new RegExp(`^(${PART}/${PART})(?:@(${PART}(?:/${PART})*))?$`)

/** No part of a name can be '..' or lead anywhere else. Null for what is no such name. */
export function parseHubName(text: string): HubName | null {
  const [, repository, revision = 'main'] = text.length <= 200 ? (NAME.exec(text) ?? []) : []
  return repository === undefined ? null : {repository, revision}
}

/** A commit's own name: it never means another state of the files. */
export function isCommit(revision: string): boolean {
  return /^[\da-f]{40}$/.test(revision)
}
