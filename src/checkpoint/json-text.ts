/**
 * Reads JSON and says where it is wrong. JSON.parse does not do: it silently keeps the last of two equal keys, its
 * messages hold a position on some versions of Node only, and it refuses the `Infinity` that Python writes into
 * config.json. Keys such as `__proto__` become plain properties here, as they do in JSON.parse.
 */

/** Nesting beyond this is an attack or an accident; it also bounds the recursion below. */
const DEEPEST = 100

/** No number that Python or JavaScript writes is longer. */
const LONGEST_NUMBER = 1000

export interface JsonFault {
  /** Index into the text. */
  readonly offset: number
  readonly message: string
}

export interface JsonResult {
  /** Undefined when the text is not JSON. */
  readonly value: unknown
  /** The first syntax fault, or all keys that occur twice. */
  readonly faults: readonly JsonFault[]
}

export interface JsonOptions {
  /** Also read NaN, Infinity and -Infinity, which Python writes. @default false */
  readonly pythonNumbers?: boolean
}

export function parseJson(text: string, options: JsonOptions = {}): JsonResult {
  const reader = new JsonReader(text, options.pythonNumbers ?? false)
  try {
    const value = reader.document()
    return {faults: reader.duplicates, value}
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    return {faults: [{message: error.message, offset: error.offset}], value: undefined}
  }
}

/** 1-based line and column of an index into the text, as editors count them. */
export function lineAndColumn(text: string, offset: number): {line: number; column: number} {
  let line = 1
  let start = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1
    start = at + 1
  }

  return {column: offset - start + 1, line}
}

class JsonSyntaxError extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message)
  }
}

class JsonReader {
  readonly duplicates: JsonFault[] = []
  #at = 0
  readonly #text: string
  readonly #words: ReadonlyMap<string, unknown>

  constructor(text: string, pythonNumbers: boolean) {
    this.#text = text
    const words: [string, unknown][] = [
      ['true', true],
      ['false', false],
      ['null', null],
    ]
    if (pythonNumbers) words.push(['NaN', NaN], ['Infinity', Infinity], ['-Infinity', -Infinity])
    this.#words = new Map(words)
  }

  document(): unknown {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#fail('the end of the text')
    return value
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) throw new JsonSyntaxError(this.#at, `nested more than ${DEEPEST} deep`)
    this.#space()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    for (const [word, value] of this.#words) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    }

    return this.#number()
  }

  #object(depth: number): Record<string, unknown> {
    const members = new Map<string, unknown>()
    this.#at += 1
    if (this.#taken('}')) return {}
    do {
      this.#space()
      const offset = this.#at
      if (this.#text[offset] !== '"') this.#fail('a key in double quotes')
      const key = this.#string()
      if (members.has(key)) this.duplicates.push({message: `key ${JSON.stringify(key)} occurs twice`, offset})
      if (!this.#taken(':')) this.#fail("':'")
      members.set(key, this.#value(depth + 1))
    } while (this.#taken(','))

    if (!this.#taken('}')) this.#fail("',' or '}'")
    // fromEntries defines properties, so that a key `__proto__` does not change the prototype.
    return Object.fromEntries(members)
  }

  #array(depth: number): unknown[] {
    const values: unknown[] = []
    this.#at += 1
    if (this.#taken(']')) return values
    do {
      values.push(this.#value(depth + 1))
    } while (this.#taken(','))

    if (!this.#taken(']')) this.#fail("',' or ']'")
    return values
  }

  #string(): string {
    const begin = this.#at
    let at = begin + 1
    for (let escaped = false; ; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (Number.isNaN(code)) throw new JsonSyntaxError(begin, 'this text in double quotes does not end')
      if (code < 0x20) throw new JsonSyntaxError(at, 'a line break or control character inside double quotes')
      if (escaped) escaped = false
      else if (code === 0x5c) escaped = true
      else if (code === 0x22) break
    }

    this.#at = at + 1
    const source = this.#text.slice(begin, at + 1)
    if (!source.includes('\\')) return source.slice(1, -1)
    try {
      return JSON.parse(source) as string
    } catch {
      throw new JsonSyntaxError(begin, 'this text in double quotes holds a wrong \\ escape')
    }
  }

  #number(): number {
    const begin = this.#at
    let end = begin
    while (end - begin < LONGEST_NUMBER && /[-+.0-9eE]/.test(this.#text.charAt(end))) end += 1
    const source = this.#text.slice(begin, end)
    if (source === '') this.#fail('a value')
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(source)) {
      throw new JsonSyntaxError(begin, `${source.slice(0, 40)} is not a JSON number`)
    }

    this.#at = end
    return Number(source)
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at += 1
    }
  }

  #taken(character: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #fail(expected: string): never {
    const found = this.#text[this.#at]
    throw new JsonSyntaxError(
      this.#at,
      found === undefined
        ? `the text ends where ${expected} must stand`
        : `expected ${expected}, got ${JSON.stringify(found)}`,
    )
  }
}
