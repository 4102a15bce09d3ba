/**
 * Completion scripts for bash, zsh and fish. Each holds a table of the commands, so that Tab starts no program: first the
 * words of a command, then its flags, the values of a flag that has only some, names of recipes, and files.
 */
import {type KnownCommand, type KnownFlag} from './known-command.js'

export interface Vocabulary {
  /** `mambatune` */
  readonly bin: string
  readonly commands: readonly KnownCommand[]
  /** Names of the recipes that come with the program */
  readonly recipes: readonly string[]
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

export function completionScript(shell: Shell, vocabulary: Vocabulary): string {
  return shell === 'fish' ? fishScript(vocabulary) : shell === 'bash' ? bashScript(vocabulary) : zshScript(vocabulary)
}

/** What may come as the next word after some words that begin commands: 'recipe' → show, validate, … */
function wordsAfter({commands}: Vocabulary): Map<string, {readonly word: string; readonly summary: string}[]> {
  const after = new Map<string, {word: string; summary: string}[]>()
  for (const {summary, words} of commands) {
    const parts = words.split(' ')
    for (const [index, word] of parts.entries()) {
      const before = parts.slice(0, index).join(' ')
      const known = after.get(before) ?? []
      const isWhole = index === parts.length - 1
      if (!known.some((one) => one.word === word)) known.push({summary: isWhole ? summary : '', word})
      after.set(before, known)
    }
  }
  return after
}

const flagNames = ({flags}: KnownCommand): string => flags.flatMap(({names}) => names).join(' ')

/** Names that complete an argument of the command. */
const argumentsOf = ({choices, takesRecipe}: KnownCommand, {recipes}: Vocabulary): string =>
  [...choices, ...(takesRecipe ? recipes : [])].join(' ')

/** The body that bash and zsh share: it sets `candidates` from `command`, `previous` and `current`. */
function cases(vocabulary: Vocabulary): string {
  const {commands} = vocabulary
  const values = commands.flatMap(({flags, words}) => {
    const patterns = (chosen: readonly KnownFlag[]): string =>
      chosen.flatMap(({names}) => names.map((name) => `"${words} ${name}"`)).join('|')
    const free = flags.filter(({isSwitch, options}) => !isSwitch && options.length === 0)
    return [
      ...flags
        .filter(({options}) => options.length > 0)
        .map((flag) => `    ${patterns([flag])}) candidates="${flag.options.join(' ')}"; files=0; return ;;`),
      ...(free.length === 0 ? [] : [`    ${patterns(free)}) return ;;`]),
    ]
  })
  const byCommand = [...wordsAfter(vocabulary)].map(([before, words]) => {
    const next = words.map(({word}) => word).join(' ')
    return `    "${before}") candidates="${next}"; files=0 ;;`
  })
  const inCommand = commands.map(
    (command) =>
      `    "${command.words}") if [[ $current == -* ]]; then candidates="${flagNames(command)}"; files=0; else candidates="${argumentsOf(command, vocabulary)}"; fi ;;`,
  )
  return `  files=1
  candidates=""
  case "$command $previous" in
${values.join('\n')}
  esac
  case "$command" in
${[...byCommand, ...inCommand].join('\n')}
  esac`
}

/** The words of the command so far: words are taken as long as they are known to begin one. */
function prefixCase(vocabulary: Vocabulary): string {
  const begun = new Set(
    vocabulary.commands.flatMap(({words}) => {
      const parts = words.split(' ')
      return parts.map((_, index) => parts.slice(0, index + 1).join(' '))
    }),
  )
  return [...begun].map((words) => `"${words}"`).join('|')
}

/** For bash and zsh: finds the command among the words before the cursor, then what may stand there. */
function findCandidates(vocabulary: Vocabulary, words: string): string {
  return `  for word in ${words}; do
    case "\${command:+$command }$word" in
      ${prefixCase(vocabulary)}) command="\${command:+$command }$word" ;;
      *) break ;;
    esac
  done
  _${vocabulary.bin}_candidates`
}

function bashScript(vocabulary: Vocabulary): string {
  const {bin} = vocabulary
  return `# bash completion of ${bin}. In ~/.bashrc:  eval "$(${bin} completion bash)"
_${bin}_candidates() {
${cases(vocabulary)}
}
_${bin}() {
  local command="" word candidates files current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
${findCandidates(vocabulary, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  if [[ $files == 1 ]]; then
    COMPREPLY+=($(compgen -f -- "$current"))
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _${bin} ${bin}
`
}

function zshScript(vocabulary: Vocabulary): string {
  const {bin} = vocabulary
  return `#compdef ${bin}
# zsh completion of ${bin}. In ~/.zshrc, after compinit:  eval "$(${bin} completion zsh)"
_${bin}_candidates() {
${cases(vocabulary)}
}
_${bin}() {
  local command="" word candidates files current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
${findCandidates(vocabulary, '"${(@)words[2,CURRENT-1]}"')}
  compadd -- \${=candidates}
  [[ $files == 1 ]] && _files
}
compdef _${bin} ${bin}
`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`

function fishScript(vocabulary: Vocabulary): string {
  const {bin, commands} = vocabulary
  const words = [...wordsAfter(vocabulary)].flatMap(([before, next]) =>
    next.map(({summary, word}) => {
      const about = summary === '' ? '' : ` -d ${quoted(summary)}`
      return `complete -c ${bin} -f -n ${quoted(`__${bin}_at ${quotedIn(before)}`)} -a ${word}${about}`
    }),
  )
  const inCommands = commands.flatMap((command) => {
    const when = `-n ${quoted(`__${bin}_in ${quotedIn(command.words)}`)}`
    const names = argumentsOf(command, vocabulary)
    const choices = names === '' ? [] : [`complete -c ${bin} ${when} -a ${quoted(names)}`]
    return [...choices, ...command.flags.map((flag) => `complete -c ${bin} ${when} ${fishFlag(flag)}`)]
  })
  return `# fish completion of ${bin}. In config.fish:  ${bin} completion fish | source
function __${bin}_words
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    echo $word
  end
end
function __${bin}_at
  set -l words (__${bin}_words)
  test "$words" = "$argv"
end
function __${bin}_in
  set -l words (__${bin}_words)
  string match -q -- "$argv *" "$words "
end
${[...words, ...inCommands].join('\n')}
`
}

const quotedIn = (words: string): string => (words === '' ? '""' : words)

function fishFlag({isSwitch, names, options, summary}: KnownFlag): string {
  const forms = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const values = options.length > 0 ? [`-x -a ${quoted(options.join(' '))}`] : isSwitch ? [] : ['-r']
  return [...forms, ...values, `-d ${quoted(summary)}`].join(' ')
}
