/**
 * Target patterns → sites. A pattern is the end of a site's name (`in_proj`, `mixer.x_proj.B`), the whole name
 * (`layers.3.mixer.dt_proj`), or a glob over the parts of it (`layers.{0,1}.mixer.*_proj`), where `*` stays within one
 * part and `**` does not. A pattern without a slice never selects a slice, and none selects embedding or head that does
 * not name them: they are large, and `**` is meant for the layers.
 */
import picomatch from 'picomatch'
import {type Fault, RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {nearestName} from '../nearest-name.js'
import {adaptableSites, type AdaptableSite, isTable} from './sites-of.js'

/** The sites that any of the patterns selects, each once. Errors: RecipeError for every pattern that selects none. */
export function resolveTargets(patterns: readonly string[], config: MambaConfig): readonly AdaptableSite[] {
  const sites = adaptableSites(config)
  return selectAll(
    patterns,
    sites,
    (pattern) => sites.filter((site) => isNamed(pattern, site) && matcher(pattern)(site)),
    (pattern) => suggestion(pattern, sites),
  )
}

/** What any of the patterns selects, each once and in the order of `all`. Errors: RecipeError for every pattern that selects none. */
export function selectAll<T>(
  patterns: readonly string[],
  all: readonly T[],
  select: (pattern: string) => readonly T[],
  suggest: (pattern: string) => string,
): readonly T[] {
  const chosen = new Set<T>()
  const faults: Fault[] = []
  for (const [index, pattern] of patterns.entries()) {
    const matches = select(pattern)
    if (matches.length === 0) {
      faults.push({message: `matches nothing. ${suggest(pattern)}`, where: `targets.${index} '${pattern}'`})
    }
    for (const match of matches) chosen.add(match)
  }
  if (faults.length > 0) {
    throw new RecipeError(
      faults.length === 1 ? 'A target matches nothing in this model.' : 'Some targets match nothing in this model.',
      {
        faults,
        hint: 'List the adaptable sites with: mambatune inspect MODEL',
      },
    )
  }
  return all.filter((one) => chosen.has(one))
}

/** Embedding and head are selected by name only. */
function isNamed(pattern: string, site: AdaptableSite): boolean {
  return !isTable(site) || pattern.includes(site.module)
}

/** Whether a pattern selects a name. */
export function matcher(pattern: string): (named: {readonly name: string}) => boolean {
  const plain = pattern.replace(/^backbone\./, '')
  const path = plain.replaceAll('.', '/')
  const matches = picomatch(plain.startsWith('layers') || plain.startsWith('*') ? [path, `**/${path}`] : `**/${path}`)
  return ({name}) => matches(name.replaceAll('.', '/'))
}

/** The nearest names that would have matched. */
function suggestion(pattern: string, sites: readonly AdaptableSite[]): string {
  const first = sites.filter(({name}) => name.startsWith('layers.0.'))
  const tables = sites.filter(({kind}) => kind === 'embedding' || kind === 'head')
  const short = [...first, ...tables].map(({module, slice}) =>
    [module.split('.').pop(), slice].filter(Boolean).join('.'),
  )
  const near = nearestName(pattern, [...short, ...sites.map(({name}) => name)])
  return near ? `Did you mean ${near}?` : `Targets of this model: ${short.join(', ')}.`
}
