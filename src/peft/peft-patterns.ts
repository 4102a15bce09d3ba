/**
 * rank_pattern and alpha_pattern of PEFT: a value for each module whose name ends in what a regular expression matches. The
 * first key that matches counts, as in get_pattern_key of PEFT's other.py. The expressions come from a stranger's file, so
 * they run apart from this program, with a limit of time: some take years to find that they do not match.
 */
import vm from 'node:vm'

/** Milliseconds for all patterns and modules together. */
const LIMIT = 1000

const LONGEST = 1000

const MATCH = `names.map((name) => patterns.findIndex((pattern) => pattern.test(name)))`

export interface Patterns {
  /** For each name the index of its key, −1 for none; empty where something is wrong */
  readonly matches: readonly number[]
  /** What is wrong with the keys */
  readonly faults: readonly string[]
}

export function matchPatterns(keys: readonly string[], names: readonly string[]): Patterns {
  const faults = keys.flatMap((key) => faultOf(key) ?? [])
  if (faults.length > 0) return {faults, matches: []}
  // The `u` flag makes what Python knows and JavaScript does not an error, where it would mean something else.
  const patterns = keys.map((key) => new RegExp(`^(?:.*\\.)?(?:${key})$`, 'u'))
  try {
    const matches = vm.runInNewContext(MATCH, {names, patterns}, {timeout: LIMIT}) as number[]
    return {faults: [], matches: [...matches]}
  } catch {
    return {faults: [`takes longer than ${LIMIT} ms to match ${names.length} module names`], matches: []}
  }
}

function faultOf(key: string): string | null {
  if (key.length > LONGEST) return `has a key of ${key.length} characters, at most ${LONGEST} are read`
  try {
    new RegExp(`(?:${key})`, 'u')
    return null
  } catch {
    return `has the key ${JSON.stringify(key)}, which is no regular expression that this version reads`
  }
}
