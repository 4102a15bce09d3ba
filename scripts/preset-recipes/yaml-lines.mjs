// Lines of a recipe with their comments one below the other, and long comments divided.

/** Comments begin here, or further right where a line of their section is longer. */
const COLUMN = 32

const WIDTH = 118

/** 'key: value', and why. */
export const entry = (text, why = null) => ({text, why})

/** The lines of a section; plain texts have no comment. */
export function section(lines) {
  const entries = lines.map((line) => (typeof line === 'string' ? entry(line) : line))
  const commented = entries.filter(({why}) => why !== null)
  const column = Math.max(COLUMN, ...commented.map(({text}) => text.length + 1))
  return entries.map(({text, why}) => (why === null ? text : `${text.padEnd(column)}# ${why}`))
}

/** A paragraph as comment lines. */
export function comment(text) {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer
    else lines.push(`# ${word}`)
  }
  return lines
}
