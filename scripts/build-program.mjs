// Bundles the commands of dist/ into program/, which bin/run.js starts. `train` loads some 460 modules otherwise, and
// finding and opening them is half of its start. Code that several commands share is in program/chunks, so that each still
// loads no more than it needs. dist/ stays what programs import. Licences of what is bundled go along (bundled-licences.mjs).
import {build} from 'esbuild'
import {copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import {fileURLToPath} from 'node:url'
import {bundledLicences} from './bundled-licences.mjs'

/**
 * What is found through package folders at run time: native code, and devices that the user installs. Their copy of
 * TensorFlow.js's core and the one in the bundle share engine and registries through the global namespace. What packages
 * would use if it were there. And what oclif would take to run commands in TypeScript.
 */
const LEFT_OUT = [
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-node-gpu',
  'canvas',
  'encoding',
  'ts-node',
  'typescript',
  'webgpu',
]

/** What packages in CommonJS expect to be there, by names that no module gives. */
const COMMONJS = [
  "import {createRequire as mambatuneCreateRequire} from 'node:module'",
  "import {dirname as mambatuneDirname} from 'node:path'",
  "import {fileURLToPath as mambatuneFileURLToPath} from 'node:url'",
  'const require = mambatuneCreateRequire(import.meta.url)',
  'const __filename = mambatuneFileURLToPath(import.meta.url), __dirname = mambatuneDirname(__filename)',
]

/**
 * Packages that name their own place and need no file there: oclif, whose package.json we do without; Emscripten's glue,
 * which is told where its files are; ejs in the text of templates; the hub's client in a variable that it does not use.
 */
const MAY_LOOK = /(?:^|\/)node_modules\/(?:@huggingface\/hub|@oclif\/core|@tensorflow\/tfjs-backend-wasm|ejs)\//

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const {metafile, outputFiles} = await build({
  banner: {js: `${COMMONJS.join(';')};`},
  bundle: true,
  chunkNames: 'chunks/[name]-[hash]',
  entryPoints: ['dist/cli/execute.js', ...modulesUnder('dist/commands'), ...modulesUnder('dist/cli/hooks')],
  external: LEFT_OUT,
  format: 'esm',
  logLevel: 'warning',
  // A bundler can leave out what is not used of ECMAScript modules only.
  mainFields: ['module', 'main'],
  metafile: true,
  outbase: 'dist',
  outdir: 'program',
  platform: 'node',
  splitting: true,
  target: 'node20',
  write: false,
})
const misled = Object.entries(metafile.outputs).flatMap(misledModules)
if (misled.length > 0) throw new Error(`These look for files beside themselves:\n${misled.join('\n')}`)

for (const {contents, path: file} of outputFiles) {
  mkdirSync(path.dirname(file), {recursive: true})
  writeFileSync(file, contents)
}
for (const file of namesUnder('dist').filter((name) => /\.[cm]js$/.test(name))) {
  copyFileSync(file, path.join('program', 'chunks', path.basename(file)))
}
writeFileSync('program/LICENCES.txt', bundledLicences(Object.keys(metafile.inputs)))

/** A module of ours that names a file by its own place lies one folder below dist/, and so has to lie as deep in program/. */
function misledModules([output, {inputs}]) {
  const isMoved = output.split('/').length !== 3
  return Object.keys(inputs).filter((file) => {
    if (file.startsWith('dist/')) return isMoved && readFileSync(file, 'utf8').includes('import.meta.url')
    return !MAY_LOOK.test(file) && /import\.meta\.url|__dirname|__filename/.test(readFileSync(file, 'utf8'))
  })
}

function modulesUnder(directory) {
  return namesUnder(directory).filter((name) => name.endsWith('.js'))
}

function namesUnder(directory) {
  return readdirSync(directory, {recursive: true}).map((name) => path.join(directory, name))
}
