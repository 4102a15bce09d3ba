/** What shell completion knows of a command: its words, flags with their values, and what its arguments are. */
import {type Command} from '@oclif/core'

export interface KnownFlag {
  /** `--device`, and `-p` where there is a short form */
  readonly names: readonly string[]
  readonly summary: string
  /** It stands alone. */
  readonly isSwitch: boolean
  /** Its values, where there are only these */
  readonly options: readonly string[]
}

export interface KnownCommand {
  /** `recipe show` */
  readonly words: string
  readonly summary: string
  readonly flags: readonly KnownFlag[]
  /** Its arguments may be names of recipes that come with mambatune, besides files. */
  readonly takesRecipe: boolean
  /** Values of its first argument, where there are only these */
  readonly choices: readonly string[]
}

type Loadable = Pick<Command.Loadable, 'args' | 'description' | 'flags' | 'hidden' | 'id' | 'summary'>

/** From the manifest, in the order of names. */
export function knownCommands(commands: readonly Loadable[]): KnownCommand[] {
  return commands
    .filter(({hidden}) => !hidden)
    .map(({args, description, flags, id, summary}) => ({
      choices: Object.values(args)[0]?.options ?? [],
      flags: Object.values(flags).flatMap((flag) => {
        if (flag.hidden) return []
        const short = flag.char === undefined ? [] : [`-${flag.char}`]
        return {
          isSwitch: flag.type === 'boolean',
          names: [`--${flag.name}`, ...short],
          options: flag.type === 'option' ? (flag.options ?? []) : [],
          summary: firstSentence(flag.summary ?? flag.description ?? ''),
        }
      }),
      summary: firstSentence(summary ?? description ?? ''),
      takesRecipe: Object.keys(args).some((name) => /^recipes?$/.test(name)),
      words: id.replaceAll(':', ' '),
    }))
    .sort((a, b) => (a.words < b.words ? -1 : 1))
}

const firstSentence = (text: string): string => text.split(/(?<=[.:;]) /, 1)[0].replace(/[.:;]$/, '')
