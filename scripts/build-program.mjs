// Bundles the commands of dist/ into program/, which bin/run.js starts. `train` loads some 460 modules otherwise, and
// finding and opening them is half of its start. Code that several commands share is in program/chunks, so that each still
// loads no more than it needs. dist/ stays what programs import.
import {build} from 'esbuild'
import {copyFileSync, readdirSync, readFileSync, rmSync} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import {fileURLToPath} from 'node:url'

/**
 * What is found through package folders at run time: native code, and devices that the user installs. Their copy of
 * TensorFlow.js's core and the one in the bundle share engine and registries through the global namespace. And what oclif
 * would take to run commands in TypeScript.
 */
const LEFT_OUT = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu', 'ts-node', 'typescript', 'webgpu']

/** What packages in CommonJS expect to be there. */
const COMMONJS = [
  "import {createRequire as requireFrom} from 'node:module'",
  "import {dirname as folderOf} from 'node:path'",
  "import {fileURLToPath as pathOf} from 'node:url'",
  'const require = requireFrom(import.meta.url), __filename = pathOf(import.meta.url), __dirname = folderOf(__filename)',
]

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
rmSync('program', {force: true, recursive: true})
const {metafile} = await build({
  banner: {js: COMMONJS.join(';')},
  bundle: true,
  chunkNames: 'chunks/[name]-[hash]',
  entryPoints: ['dist/cli/execute.js', ...modulesUnder('dist/commands'), ...modulesUnder('dist/cli/hooks')],
  external: LEFT_OUT,
  format: 'esm',
  logLevel: 'warning',
  // A bundler can leave out what is not used of ECMAScript modules only.
  mainFields: ['module', 'main'],
  metafile: true,
  minifyWhitespace: true,
  outbase: 'dist',
  outdir: 'program',
  platform: 'node',
  splitting: true,
  target: 'node20',
})

// A module that names a file by import.meta.url lies one folder below dist/, so it has to lie as deep in program/.
for (const [output, {inputs}] of Object.entries(metafile.outputs)) {
  const isMoved = output.split('/').length !== 3
  const misled = Object.keys(inputs).filter((file) => isMoved && file.startsWith('dist/') && namesFiles(file))
  if (misled.length > 0) throw new Error(`${misled[0]} looks for files beside itself, and ${output} lies elsewhere.`)
}
for (const name of readdirSync('dist/backend').filter((file) => /-thread\.[cm]js$/.test(file))) {
  copyFileSync(path.join('dist/backend', name), path.join('program/chunks', name))
}

function modulesUnder(directory) {
  const names = readdirSync(directory, {recursive: true})
  return names.filter((name) => name.endsWith('.js')).map((name) => path.join(directory, name))
}

function namesFiles(file) {
  return readFileSync(file, 'utf8').includes('import.meta.url')
}
