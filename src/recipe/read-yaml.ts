/**
 * YAML text to plain values, with the place of each. YAML 1.2, core schema, no tags; every fault that the text itself has is collected.
 * Aliases are copied out, and the number of values is limited, so that neither a cycle nor a small text that unfolds to a huge one gets further.
 * It knows nothing of recipes beyond that.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

import {dotted, type Path, setOwn} from './paths.js'
import {type Place, type PlacedFault, Places} from './places.js'

/** A recipe has about fifty values, five levels deep. */
const MAX_VALUES = 10_000
const MAX_DEPTH = 32

/** One slip often makes everything after it wrong; more faults of the syntax than this only hide the first. */
const MAX_SYNTAX_FAULTS = 10

/** Plain values and where they stand; overrides change both. */
export interface RecipeDocument {
  value: unknown
  readonly places: Places
}

export interface ReadYaml {
  readonly document: RecipeDocument
  readonly faults: readonly PlacedFault[]
  /** The text could not be read to its end: judging the values would only add noise. */
  readonly broken: boolean
}

/** Places of a file: offsets become `label:line:column`, counted from 1. `after` puts its faults behind those of other files. */
export function readYamlFile(text: string, label: string, after = 0): ReadYaml {
  const lines = new LineCounter()
  const placeAt = (offset: number): Place => {
    const {col, line} = lines.linePos(offset)
    return {order: after + offset, where: `${label}:${line}:${col}`}
  }

  return readYaml(text, placeAt, lines)
}

/** One value that has no lines of its own, such as the right-hand side of `--set`. */
export function readYamlValue(text: string, place: Place): ReadYaml {
  return readYaml(text, () => place)
}

function readYaml(text: string, placeAt: (offset: number) => Place, lineCounter?: LineCounter): ReadYaml {
  const document = parseDocument(text, {
    ...(lineCounter === undefined ? {} : {lineCounter}),
    prettyErrors: false,
    schema: 'core',
    stringKeys: true,
    uniqueKeys: false,
    version: '1.2',
  })
  const syntax = syntaxFaults(document, placeAt)
  const first = placeAt(0)
  const start = {...first, order: first.order - 1}
  if (syntax.length > 0) return {broken: true, document: {places: new Places(start), value: undefined}, faults: syntax}

  const reader = new ValueReader(document, placeAt, new Places(start))
  const value = reader.read(document.contents, [], 0)
  return {broken: reader.overflowed, document: {places: reader.places, value}, faults: reader.faults}
}

function syntaxFaults(document: Document, placeAt: (offset: number) => Place): PlacedFault[] {
  const byOffset = new Map<number, string>()
  for (const {code, message, pos} of [...document.errors, ...document.warnings]) {
    if (!byOffset.has(pos[0])) byOffset.set(pos[0], syntaxMessage(code, message))
  }

  const faults = [...byOffset].map(([offset, message]) => ({message, place: placeAt(offset)}))
  const rest = faults.length - MAX_SYNTAX_FAULTS
  if (rest <= 0) return faults
  const shown = faults.slice(0, MAX_SYNTAX_FAULTS)
  return [...shown, {message: `and ${rest} more that may follow from these`, place: shown[MAX_SYNTAX_FAULTS - 1].place}]
}

/** The library's messages are good, except where they speak of its own options. */
function syntaxMessage(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'not YAML of a recipe: a second document starts here; remove the --- line'
  if (code === 'NON_STRING_KEY') return 'not YAML of a recipe: a key must be a plain word'
  if (code === 'RESOURCE_EXHAUSTION') return 'not YAML of a recipe: nested too deeply'
  if (code === 'TAG_RESOLVE_FAILED') {
    return `not YAML of a recipe: tags such as ${message.split(' ').at(-1)} are not used`
  }
  return `not valid YAML: ${message}`
}

/** Walks the nodes once; values, places and faults grow together. */
class ValueReader {
  readonly faults: PlacedFault[] = []
  overflowed = false
  #values = 0

  constructor(
    private readonly document: Document,
    private readonly placeAt: (offset: number) => Place,
    readonly places: Places,
  ) {}

  read(node: Node | null, path: Path, depth: number): unknown {
    this.#values += 1
    if (this.#values > MAX_VALUES || depth > MAX_DEPTH) return this.#overflow(node)
    if (isAlias(node)) return this.#readAlias(node.source, node.resolve(this.document), node, path, depth)
    if (isMap(node)) return this.#readMap(node, path, depth)
    if (isSeq(node)) return this.#readList(node, path, depth)
    return isScalar(node) ? node.value : null
  }

  #readMap(map: YAMLMap, path: Path, depth: number): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (const pair of map.items) {
      const key = pair.key as Node | null
      const value = pair.value as Node | null
      const keyPlace = this.#placeOf(key, this.#placeOf(map))
      const name = isScalar(key) ? String(key.value) : ''
      const childPath = [...path, name]
      const first = this.places.find(childPath)
      if (first !== undefined) {
        this.faults.push({message: `${dotted(childPath)}: written twice, first at ${first.where}`, place: keyPlace})
      }
      this.places.set(childPath, keyPlace, this.#placeOf(value, keyPlace))
      setOwn(values, name, this.read(value, childPath, depth + 1))
    }

    return values
  }

  #readList(list: YAMLSeq, path: Path, depth: number): unknown[] {
    return list.items.map((item, index) => {
      const place = this.#placeOf(item as Node | null, this.#placeOf(list))
      this.places.set([...path, index], place, place)
      return this.read(item as Node | null, [...path, index], depth + 1)
    })
  }

  #readAlias(name: string, target: Node | undefined, alias: Node, path: Path, depth: number): unknown {
    if (target !== undefined) return this.read(target, path, depth + 1)
    this.faults.push({
      message: `${dotted(path)}: the alias *${name} refers to no anchor &${name} above it`,
      place: this.#placeOf(alias),
    })
    return undefined
  }

  #overflow(node: Node | null): null {
    if (!this.overflowed) {
      const limits = `more than ${MAX_VALUES} values or ${MAX_DEPTH} levels, aliases unfolded`
      this.faults.push({message: `too large to be a recipe: ${limits}`, place: this.#placeOf(node)})
    }

    this.overflowed = true
    return null
  }

  #placeOf(node: Node | null, fallback: Place = this.placeAt(0)): Place {
    const offset = node?.range?.[0]
    return offset === undefined ? fallback : this.placeAt(offset)
  }
}
