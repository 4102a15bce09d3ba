// Packs what a machine with a GPU, but without network and Node, needs to run this program: see "On a machine without
// network" in docs/performance.md. Parts whose contents have not changed are kept, so that packing again after a build
// takes seconds. For Linux on x64, packed on Debian or Ubuntu after a build.
// Usage: node scripts/pack-for-gpu.mjs [DIRECTORY]     (.carry if left out)
import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import path from 'node:path'
import process from 'node:process'
import {fileURLToPath} from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const DAWN = 'node_modules/webgpu/dist/linux-x64/dawn.node'
const PROGRAM = ['bench', 'bin', 'build', 'dist', 'oclif.manifest.json', 'package.json', 'program', 'scripts']
const ASSETS = ['data', 'models', 'recipes']

/** The Vulkan loader, and EGL's dispatcher: without it NVIDIA's Vulkan driver answers nothing where there is no X11. */
const LOADER_PACKAGES = ['libvulkan1', 'libegl1', 'libglvnd0']
const LOADER_FILES = /\/lib(?:vulkan|EGL|GLdispatch)\.so/

/** What no program reads: types, sources for debuggers, documentation. */
const UNREAD = /\.(?:map|[cm]?ts|md|markdown|flow|html)$/

/** TensorFlow.js ships each library ten times; the files that Node loads are named in package.json or are these. */
const TENSORFLOW_FILES =
  /^node_modules\/@tensorflow\/[^/]+\/(?:package\.json|dist\/[^/]+\.node\.js|wasm-out\/[^/]+\.js)$/

if (process.platform !== 'linux' || process.arch !== 'x64') fail('Only Linux on x64 is packed.')
for (const name of [...PROGRAM, DAWN]) if (!existsSync(name)) fail(`${name} is missing: npm ci && npm run build`)

const folder = process.argv[2] ?? '.carry'
const scratch = mkdtempSync(path.join(tmpdir(), 'pack-for-gpu-'))
mkdirSync(folder, {recursive: true})
try {
  part('node.xz', [process.execPath], (file) => {
    const binary = path.join(scratch, 'node')
    copyFileSync(process.execPath, binary)
    tool('strip', [binary])
    compress(binary, file)
  })
  part('dawn.node.xz', [DAWN], (file) => compress(DAWN, file))
  part('loader.tar.xz', [fileURLToPath(import.meta.url)], packVulkanLoader)
  part('packages.tar.xz', ['package-lock.json', fileURLToPath(import.meta.url)], (file) =>
    archive(packageFiles(), file),
  )
  part('assets.tar.xz', ASSETS.flatMap(filesUnder), (file) => archive(ASSETS, file))
  part('program.tar.xz', PROGRAM.flatMap(filesUnder), (file) => archive(PROGRAM, file))
} finally {
  rmSync(scratch, {recursive: true})
}
copyFileSync('scripts/run-on-gpu.sh', path.join(folder, 'run-on-gpu.sh'))
chmodSync(path.join(folder, 'run-on-gpu.sh'), 0o755)
const total = filesUnder(folder).reduce((sum, file) => sum + statSync(file).size, 0)
console.log(`${folder}: ${mib(total)} MiB. There: bash ${path.basename(folder)}/run-on-gpu.sh bin/run.js doctor --deep`)

/** Makes a part of the pack, unless it is there and its inputs are as they were. */
function part(name, inputs, make) {
  const [file, key] = [path.join(folder, name), path.join(folder, `${name}.key`)]
  const state = inputs.map((input) => `${input} ${statSync(input).size} ${statSync(input).mtimeMs}\n`).join('')
  const wanted = createHash('sha256').update(state).digest('hex')
  const isKept = existsSync(file) && existsSync(key) && readFileSync(key, 'utf8') === wanted
  if (!isKept) {
    rmSync(key, {force: true})
    make(file)
    writeFileSync(key, wanted)
  }
  console.log(`${isKept ? 'kept  ' : 'packed'} ${name} ${mib(statSync(file).size)} MiB`)
}

function compress(input, output) {
  writeFileSync(`${output}.part`, execFileSync('xz', ['-T0', '-6', '-c', input], {maxBuffer: 2 ** 30}))
  renameSync(`${output}.part`, output)
}

function archive(names, output, from = '.') {
  execFileSync('tar', ['-C', from, '-cJf', path.resolve(`${output}.part`), '-T', '-'], {
    env: {...process.env, XZ_OPT: '-T0'},
    input: names.join('\n'),
  })
  renameSync(`${output}.part`, output)
}

/** The library through which programs find Vulkan drivers, from the distribution's own package. */
function packVulkanLoader(output) {
  tool('apt-get', ['download', ...LOADER_PACKAGES], scratch)
  for (const packed of readdirSync(scratch).filter((name) => name.endsWith('.deb'))) {
    tool('dpkg', ['-x', packed, 'loader'], scratch)
  }
  const libraries = filesUnder(path.join(scratch, 'loader')).filter((name) => LOADER_FILES.test(name))
  for (const library of libraries) renameSync(library, path.join(scratch, path.basename(library)))
  archive(
    libraries.map((library) => path.basename(library)),
    output,
    scratch,
  )
}

/** Files of the packages that the program needs when it runs. Dawn for this platform travels by itself. */
function packageFiles() {
  const {packages} = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const wanted = Object.entries(packages)
    .filter(([name, {dev, peer}]) => name !== '' && !dev && !peer && !/@types\/|@webgpu\/types/.test(name))
    .map(([name]) => name)
    .filter((name) => existsSync(name))
  return wanted.flatMap(filesOfPackage).filter((file) => {
    if (file.startsWith('node_modules/@tensorflow/')) return TENSORFLOW_FILES.test(file)
    return !UNREAD.test(file) && !file.startsWith('node_modules/webgpu/dist/')
  })
}

/** Without the packages nested in it, which the lock file names by themselves. */
function filesOfPackage(name) {
  return filesUnder(name).filter((file) => !file.slice(name.length).includes('/node_modules/'))
}

/** All files and links under a name, in order; the name itself if it is a file. */
function filesUnder(name) {
  if (!statSync(name).isDirectory()) return [name]
  const entries = readdirSync(name, {withFileTypes: true}).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const inner = path.join(name, entry.name)
    return entry.isDirectory() ? filesUnder(inner) : [inner]
  })
}

function tool(command, parameters, directory = '.') {
  try {
    execFileSync(command, parameters, {cwd: directory, stdio: ['ignore', 'ignore', 'pipe']})
  } catch (error) {
    fail(`${command} ${parameters.join(' ')} failed: ${error.stderr?.toString().trim() || error.message}`)
  }
}

function mib(bytes) {
  return (bytes / 2 ** 20).toFixed(1)
}

function fail(message) {
  console.error(`pack-for-gpu: ${message}`)
  process.exit(1)
}
