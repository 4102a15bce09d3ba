// The licences of the packages that a bundle was made of, as one text.
import {readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'

const LICENCE = /^(?:licen[cs]e|copying|notice)/i

/**
 * @param {readonly string[]} files modules of the bundle
 * @returns {string}
 */
export function bundledLicences(files) {
  const folders = new Set(files.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []))
  return [...folders]
    .sort()
    .map(licenceOf)
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** Some packages name their licence and have no text of it. Errors: Error where there is neither. */
function licenceOf(folder) {
  const {license, name, version} = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const texts = readdirSync(folder)
    .filter((file) => LICENCE.test(file))
    .map((file) => readFileSync(path.join(folder, file), 'utf8').trim())
  if (texts.length === 0 && typeof license !== 'string') throw new Error(`${folder} does not say its licence.`)
  return `${name} ${version}\n${typeof license === 'string' ? `Licence: ${license}\n` : ''}\n${texts.join('\n\n')}\n`
}
