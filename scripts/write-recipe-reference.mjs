// Writes the tables of docs/recipe.md from the JSON schema of recipes, so that they cannot say anything else than the
// program does. Everything outside the two marks is written by hand and left alone.
// Usage, after a build: node scripts/write-recipe-reference.mjs
import {readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

const BEGIN = '<!-- keys: written by scripts/write-recipe-reference.mjs from the JSON schema; do not edit -->'
const END = '<!-- end of keys -->'

const HEAD = ['Key', 'Value', 'Default', 'Meaning']

/** Whole numbers without a bound of their own are bounded by what a double can count to. */
const LARGEST_WHOLE = 2 ** 53 - 1

/**
 * The document with its tables replaced.
 * @param {string} document
 * @param {Record<string, unknown>} schema
 * @returns {string}
 */
export function withRecipeReference(document, schema) {
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`docs/recipe.md has lost its marks: ${BEGIN} … ${END}`)
  const reference = ['Top level', ...section('', schema)].map((line, index) => (index === 0 ? `### ${line}` : line))
  return `${document.slice(0, before)}${BEGIN}\n\n${reference.join('\n\n')}\n\n${document.slice(after)}`
}

/** A mapping's own keys as one table, then its sections, each under a heading: blocks of Markdown. */
function section(path, schema) {
  const children = Object.entries(schema.properties).map(([name, child]) => ({
    child,
    path: path === '' ? name : `${path}.${name}`,
    required: schema.required?.includes(name) ?? false,
  }))
  const isSection = ({child}) => child.properties !== undefined || child.items?.oneOf !== undefined
  const rows = children.filter((entry) => !isSection(entry)).map(row)
  const blocks = [schema.description, rows.length > 0 ? table([HEAD, ...rows]) : undefined]
  const sections = children.filter(isSection).flatMap(({child, path: name}) => {
    if (child.properties) return [`### ${name}`, ...section(name, child)]
    const choices = child.items.oneOf.flatMap((choice) => [
      `#### ${name}: ${choice.properties.method.const}`,
      ...section(`${name}.N`, choice),
    ])
    return [`### ${name}`, `${child.description} N is the index in the list, from 0.`, ...choices]
  })
  return [...blocks.filter((block) => block !== undefined), ...sections]
}

function row({child, path, required}) {
  return [`\`${path}\``, valueOf(child), required ? 'required' : defaultOf(child), child.description]
}

function defaultOf(schema) {
  return schema.default === undefined ? 'left out' : `\`${JSON.stringify(schema.default).replaceAll(',', ', ')}\``
}

/** What may be written there, in words. */
function valueOf(schema) {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const).replaceAll('"', '')}\``
  if (schema.enum) return schema.enum.map((choice) => `\`${choice}\``).join(', ')
  switch (schema.type) {
    case 'boolean':
      return '`true`, `false`'
    case 'null':
      return '`null`'
    case 'string':
      return 'text'
    case 'integer':
    case 'number':
      return numberOf(schema)
    case 'array':
      return listOf(schema)
    case 'object':
      return `{${Object.keys(schema.properties).join(', ')}}`
    default:
      return schema.anyOf.map(valueOf).join(' or ')
  }
}

function numberOf({anyOf, exclusiveMaximum, exclusiveMinimum, maximum = LARGEST_WHOLE, minimum, type}) {
  const bounds = [
    minimum === undefined ? [] : `from ${minimum}`,
    exclusiveMinimum === undefined ? [] : `above ${exclusiveMinimum}`,
    maximum === LARGEST_WHOLE ? [] : `to ${maximum}`,
    exclusiveMaximum === undefined ? [] : `below ${exclusiveMaximum}`,
    anyOf ? ', whole from 1 on' : [],
  ]
  return [type === 'integer' ? 'whole number' : 'number', ...bounds.flat()].join(' ').replace(' ,', ',')
}

function listOf({items, maxItems}) {
  if (Array.isArray(items)) return `list of ${maxItems}: ${valueOf(items[0])}`
  return `list of ${valueOf(items)}`
}

/** A table with columns of equal width, as Prettier leaves it. */
function table(rows) {
  const cells = rows.map((cells) => cells.map((text) => text.replaceAll('|', String.raw`\|`)))
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => [...row[column]].length)))
  const lines = cells.map((row) => `| ${row.map((text, column) => pad(text, widths[column])).join(' | ')} |`)
  return [lines[0], `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join('\n')
}

function pad(text, width) {
  return text + ' '.repeat(width - [...text].length)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const {recipeJsonSchema} = await import('../dist/recipe/json-schema.js')
  const file = new URL('../docs/recipe.md', import.meta.url)
  writeFileSync(file, withRecipeReference(readFileSync(file, 'utf8'), recipeJsonSchema()))
}
