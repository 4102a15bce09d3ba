/** `runs/a/adapter=0.7` → a path and its weight. Paths may hold `=` themselves: the last one counts. */
import {UsageError} from '../errors.js'

const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i

export function weightedPath(argument: string): {readonly directory: string; readonly weight: number} {
  const at = argument.lastIndexOf('=')
  const directory = argument.slice(0, Math.max(0, at))
  const weight = argument.slice(at + 1).trim()
  if (at < 1 || !NUMBER.test(weight) || !Number.isFinite(Number(weight))) {
    throw new UsageError(`'${argument}' is no adapter with a weight.`, {
      hint: 'Write each as DIRECTORY=NUMBER: mambatune adapter combine runs/a/adapter=0.7 runs/b/adapter=0.3 -o OUT',
    })
  }
  return {directory, weight: Number(weight)}
}
