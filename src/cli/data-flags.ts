/** The flags of `mambatune data …`: what a recipe says under `data`. */
import {Flags} from '@oclif/core'
import {CONTAINERS, type DataSettings, LOSS_PARTS, ROW_FORMATS} from '../data/dataset.js'
import {UsageError} from '../errors.js'
import {templateFlag} from './template-flag.js'

export const dataFlags = {
  column: Flags.string({
    description: 'Read what we call NAME from the column OTHER. May be given several times.',
    helpValue: 'NAME=OTHER',
    multiple: true,
  }),
  container: Flags.option({
    default: 'auto',
    description: 'How rows lie in the files; auto tells it from the first bytes and the name of each.',
    options: ['auto', ...CONTAINERS] as const,
  })(),
  format: Flags.option({
    default: 'auto',
    description: 'What a row is; auto tells it from the first row.',
    options: ['auto', ...ROW_FORMATS] as const,
  })(),
  'loss-on': Flags.string({
    default: 'auto',
    description: `Which tokens count: auto, ${LOSS_PARTS.join(', ')}, or roles as role:user,assistant. auto follows the format.`,
    helpValue: 'PART',
  }),
  template: templateFlag,
}

export interface DataFlagValues {
  readonly column: string[] | undefined
  readonly container: 'auto' | (typeof CONTAINERS)[number]
  readonly format: DataSettings['format']
  readonly 'loss-on': string
  readonly template: string | undefined
}

/** Errors: UsageError for values that mean nothing. */
export function rowSettings(flags: DataFlagValues): Omit<DataSettings, 'appendEos' | 'maxLength' | 'overflow'> {
  return {
    columns: Object.fromEntries((flags.column ?? []).map(columnOf)),
    container: flags.container,
    format: flags.format,
    lossOn: lossOn(flags['loss-on']),
    template: flags.template ?? null,
  }
}

function columnOf(text: string): [string, string] {
  const [, name, source] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name !== undefined && source !== undefined) return [name, source]
  throw new UsageError(`--column ${text}: expected NAME=OTHER.`, {hint: 'For example: --column prompt=question'})
}

function lossOn(text: string): DataSettings['lossOn'] {
  if (text.startsWith('role:')) return text.slice('role:'.length).split(',')
  const part = (['auto', ...LOSS_PARTS] as const).find((known) => known === text)
  if (part !== undefined) return part
  throw new UsageError(`--loss-on ${text}: expected auto, ${LOSS_PARTS.join(', ')}, or role:NAME,NAME.`, {
    hint: 'For example: --loss-on assistant',
  })
}
