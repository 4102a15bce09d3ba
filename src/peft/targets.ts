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
import {adaptableSites, type AdaptableSite} from './sites-of.js'

/** The sites that any of the patterns selects, each once. Errors: RecipeError for every pattern that selects none. */
export function resolveTargets(patterns: readonly string[], config: MambaConfig): readonly AdaptableSite[] {
  const sites = adaptableSites(config)
  const chosen = new Set<AdaptableSite>()
  const faults: Fault[] = []
  for (const [index, pattern] of patterns.entries()) {
    const matches = sites.filter(matcher(pattern))
    if (matches.length === 0) {
      faults.push({message: `matches nothing. ${suggestion(pattern, sites)}`, where: `targets.${index} '${pattern}'`})
    }
    for (const site of matches) chosen.add(site)
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
  return sites.filter((site) => chosen.has(site))
}

function matcher(pattern: string): (site: AdaptableSite) => boolean {
  const plain = pattern.replace(/^backbone\./, '')
  const path = plain.replaceAll('.', '/')
  const matches = picomatch(plain.startsWith('layers') || plain.startsWith('*') ? [path, `**/${path}`] : `**/${path}`)
  return ({kind, module, name}) =>
    (kind === 'linear' || kind === 'conv' || plain.includes(module)) && matches(name.replaceAll('.', '/'))
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
