/**
 * `${env:NAME}` and `${env:NAME:-default}` inside texts of a recipe: replaced by the variable of the environment, or by the default where
 * it is unset or empty, as in a shell. `$${env:…}` stands for itself. The result stays a text: a number is better given by `--set`.
 * What is replaced is written into the run's own recipe, so that `resume` needs no environment; so a variable that is named like a secret
 * is refused. Nothing in a recipe needs one: programs read HF_TOKEN and the like themselves.
 */
import {dotted, type Path, setOwn} from './paths.js'
import {type PlacedFault} from './places.js'
import {type RecipeDocument} from './read-yaml.js'

export type Environment = Readonly<Record<string, string | undefined>>

const REFERENCE = /\$(\$?)\{env:([^}]*)\}/g
const NAME_AND_DEFAULT = /^([A-Za-z_]\w*)(?::-(.*))?$/s
const SECRET = /token|secret|passw|credential|api_?key|private_?key|access_?key/i

/** Changes the texts of the document and returns what could not be replaced. */
export function interpolate(document: RecipeDocument, environment: Environment): PlacedFault[] {
  const faults: PlacedFault[] = []
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return replaced(value, path)
    if (typeof value !== 'object' || value === null) return value
    for (const [key, child] of Object.entries(value)) setOwn(value, key, walk(child, [...path, key]))
    return value
  }
  const replaced = (text: string, path: Path): string => {
    const {problems, result} = interpolatedText(text, environment)
    const place = document.places.ofValue(path)
    for (const problem of problems) faults.push({message: `${dotted(path)}: ${problem}`, place})
    return result
  }
  document.value = walk(document.value, [])
  return faults
}

/** A text with its references replaced, and what is wrong with them. */
export function interpolatedText(text: string, environment: Environment): {problems: string[]; result: string} {
  const problems: string[] = []
  const result = text.replaceAll(REFERENCE, (whole, escape: string, inner: string) => {
    if (escape !== '') return whole.slice(1)
    const [, name, otherwise] = NAME_AND_DEFAULT.exec(inner) ?? []
    const value = name === undefined ? undefined : environment[name] || otherwise
    if (name === undefined) {
      problems.push(`${whole} names no variable; write \${env:NAME} or \${env:NAME:-default}`)
    } else if (SECRET.test(name)) {
      problems.push(`${name} is named like a secret, and recipes are copied into run directories; no key needs one`)
    } else if (value === undefined) {
      problems.push(`the environment has no variable ${name}; set it, or write a default: \${env:${name}:-default}`)
    }
    return value ?? whole
  })
  return {problems, result}
}

/** What `interpolatedText` reads as the text itself. */
export function withoutReferences(text: string): string {
  return text.replaceAll(REFERENCE, (whole) => `$${whole}`)
}
