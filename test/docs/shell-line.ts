/**
 * The little of a shell that documented commands need: words with quotes, comments, `printf TEXT |` before a command and `> FILE` after it.
 * Everything else that means something to a shell is refused, so that no command is half understood.
 */

export interface ShellCommand {
  readonly words: readonly string[]
  /** What `printf` pipes in */
  readonly input: string | null
  /** The file that stdout goes to */
  readonly output: string | null
}

const WORD = /\s*(?:(#.*)|(\||>|&&)|((?:'[^']*'|"[^"$`\\]*(?:\$PWD[^"$`\\]*)*"|[^\s'"|>&;<$`\\#])+))/y

/** The commands of a line, one after another. Errors: for what it does not understand. */
export function readShellLine(line: string): ShellCommand[] {
  const commands: ShellCommand[] = []
  let [words, input, output] = [[] as string[], null as string | null, null as string | null]
  const finish = (): void => {
    if (words.length > 0) commands.push({input, output, words})
    ;[words, input, output] = [[], null, null]
  }
  const tokens = tokensOf(line)
  for (let index = 0; index < tokens.length; index++) {
    const {isOperator, text} = tokens[index]
    if (!isOperator) words.push(text)
    else if (text === '&&') finish()
    else if (text === '>') output = tokens[++index].text
    else {
      const [program, format, ...more] = words
      if (program !== 'printf' || more.length > 0) throw new Error(`only printf TEXT may be piped on: ${line}`)
      input = format.replaceAll('\\n', '\n')
      words = []
    }
  }
  finish()
  return commands
}

function tokensOf(line: string): {text: string; isOperator: boolean}[] {
  const tokens: {text: string; isOperator: boolean}[] = []
  WORD.lastIndex = 0
  while (WORD.lastIndex < line.trimEnd().length) {
    const at = WORD.lastIndex
    const found = WORD.exec(line)
    if (!found) throw new Error(`not understood from "${line.slice(at)}" on: ${line}`)
    const [, comment, operator, word] = found
    if (comment !== undefined) break
    tokens.push({isOperator: word === undefined, text: operator ?? word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2')})
  }
  return tokens
}
