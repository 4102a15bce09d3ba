/** The commands in the code blocks of README.md and docs, with what stands for a name in a synopsis filled in. */
import {readdirSync, readFileSync} from 'node:fs'
import {readShellLine, type ShellCommand} from './shell-line.js'

export interface DocumentedCommand extends ShellCommand {
  /** 'README.md:33' */
  readonly where: string
  /** As it is written, without a comment */
  readonly text: string
}

/** README.md first: what it makes, the other pages go on with. */
export const DOCUMENTS = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
]

const BLOCK = /^```(?:sh|bash|console|shell)\n(.*?)^```/gms

/**
 * Names of a page that stand for something: those of a synopsis, where what is in brackets is given too, and a run of another kind
 * than README's.
 */
const NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/adapters.md': {
    A: 'runs/mine/adapter',
    ADAPTER: 'runs/mine/adapter',
    B: 'runs/other/adapter',
    BASE: 'models/tiny-mamba',
    'FILE.svg': 'picture.svg',
    MODEL: 'models/tiny-mamba',
    OUT: 'runs/sum',
    R: '4',
  },
  'docs/reliability.md': {'runs/mine': 'runs/whole'},
}

/** What a page takes to be there, besides what README.md leaves behind: a run that its epochs end, not a number of steps. */
const BEFORE: Readonly<Record<string, string>> = {
  'docs/reliability.md': 'mambatune train bitfit --out runs/whole --set data.validation=null',
}

export function documentedCommands(): DocumentedCommand[] {
  return DOCUMENTS.flatMap((document) => {
    const text = readFileSync(document, 'utf8')
    const before = readShellLine(BEFORE[document] ?? '')
    const blocks = [...text.matchAll(BLOCK)].flatMap((block) => {
      const first = text.slice(0, block.index).split('\n').length + 1
      return block[1].split('\n').flatMap((line, index) => {
        const plain = line.replace(/(^|\s+)#\s.*$/, '').trim()
        const where = `${document}:${first + index}`
        return readShellLine(filledIn(plain, NAMES[document])).map((command) => ({...command, text: plain, where}))
      })
    })
    return [...before.map((command) => ({...command, text: BEFORE[document], where: `before ${document}`})), ...blocks]
  })
}

function filledIn(line: string, names: Readonly<Record<string, string>> | undefined): string {
  if (!names) return line
  return line
    .replaceAll(/[[\]]/g, '')
    .split(/(?=[\s=])|(?<=[\s=])/)
    .map((word) => names[word] ?? word)
    .join('')
}

export interface MentionedCommand {
  readonly where: string
  readonly text: string
}

/** `mambatune …` in running text. */
export function mentionedCommands(): MentionedCommand[] {
  return DOCUMENTS.flatMap((document) => {
    const lines = readFileSync(document, 'utf8').split('\n')
    return lines.flatMap((line, index) =>
      [...line.matchAll(/`mambatune ([a-z][^`…]*)`/g)].map(([, text]) => ({text, where: `${document}:${index + 1}`})),
    )
  })
}
