/**
 * HTML from templates in which every value is escaped, so that no name, path or sample of a run can become markup. Markup
 * that is known to be safe (other templates, drawings) is a value of its own kind, and lists of it are joined.
 */
export class Markup {
  constructor(readonly text: string) {}
}

type Value = Markup | number | string | readonly Markup[]

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.map((part, index) => (index === 0 ? part : textOf(values[index - 1]) + part)).join(''))
}

function textOf(value: Value): string {
  if (value instanceof Markup) return value.text
  if (typeof value === 'object') return value.map(({text}) => text).join('')
  return escapeText(String(value))
}

const ENTITIES: Readonly<Record<string, string>> = {'"': '&quot;', '&': '&amp;', "'": '&#39;', '<': '&lt;', '>': '&gt;'}

/** Control characters, which HTML does not allow even as entities, become the sign for what cannot be shown. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSEEN, '\uFFFD').replaceAll(/["&'<>]/g, (sign) => ENTITIES[sign])
}

// eslint-disable-next-line no-control-regex -- finding control characters is the purpose
const UNSEEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F]/g
