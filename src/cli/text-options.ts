/** What stdout can show, for texts that use its width, signs and colours. */
import {createStyle, hasColour, type Signs, signsFor, type Style} from './terminal.js'

const USUAL_COLUMNS = 80

export function stdoutOptions(): {columns: number; signs: Signs; style: Style} {
  const {env, platform, stdout} = process
  return {
    columns: stdout.columns || USUAL_COLUMNS,
    signs: signsFor(env, platform),
    style: createStyle(hasColour(stdout, env)),
  }
}
