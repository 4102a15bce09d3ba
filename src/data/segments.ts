/**
 * Segments: text that is put together as it stands, each piece trained or not. No template; what axolotl calls `input_output`.
 *
 *   {"segments": [{"text": "Q: 2+2? A:", "label": false}, {"text": " 4", "label": true}]}
 */
import {isJsonObject, kindOf} from './json-value.js'
import {textProblem} from './text-value.js'

export interface Segment {
  readonly text: string
  readonly isTrained: boolean
}

/** Adds to `problems` what is wrong; the result is whole only if nothing was added. */
export function segmentsOf(value: unknown, problems: string[]): Segment[] {
  if (!Array.isArray(value) || value.length === 0) {
    problems.push(
      `segments: expected an array of {text, label}, got ${Array.isArray(value) ? 'an empty one' : kindOf(value)}`,
    )
    return []
  }

  return value.flatMap((entry: unknown, index): Segment[] => {
    const place = `segments[${index}]`
    if (!isJsonObject(entry)) {
      problems.push(`${place}: expected {text, label}, got ${kindOf(entry)}`)
      return []
    }

    const {label, text} = entry
    const problem = textProblem(`${place}.text`, text, true)
    if (problem !== null) problems.push(problem)
    if (typeof label !== 'boolean') problems.push(`${place}.label: expected true or false, got ${kindOf(label)}`)
    return [{text: String(text), isTrained: label === true}]
  })
}
