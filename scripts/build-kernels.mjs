// Compiles src/ops/kernels (AssemblyScript) to build/kernels.wasm.
// The module owns no memory and no data: it works in the memory that it is given, which may be TensorFlow.js's own.
import {mkdirSync, readFileSync} from 'node:fs'
import asc from 'assemblyscript/asc'

mkdirSync('build', {recursive: true})
const {error, stderr} = await asc.main([
  'src/ops/kernels/index.ts',
  '--outFile=build/kernels.wasm',
  '--runtime=stub',
  '--importMemory',
  '--sharedMemory',
  '--initialMemory=1',
  '--maximumMemory=65536',
  '--enable=simd,threads',
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--noAssert',
  '--use=abort=',
])
if (error) {
  process.stderr.write(stderr.toString())
  process.exit(1)
}

// A data segment would be written over whatever the shared memory holds at its address (a table behind Math.log, say).
if (hasSection(readFileSync('build/kernels.wasm'), 11)) {
  process.stderr.write('build/kernels.wasm has a data segment: something in src/ops/kernels needs static data.\n')
  process.exit(1)
}

function hasSection(module, wanted) {
  let at = 8
  while (at < module.length) {
    const id = module[at++]
    let size = 0
    let shift = 0
    let byte
    do {
      byte = module[at++]
      size |= (byte & 127) << shift
      shift += 7
    } while (byte & 128)
    if (id === wanted) return true
    at += size
  }
  return false
}
