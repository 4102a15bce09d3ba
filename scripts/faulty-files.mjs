// Loaded before the program (node --import), makes its writing to files fail at a chosen place, counted in calls that
// change a file or a directory. MAMBATUNE_FAULT is 'kill@N' (SIGKILL at the Nth call, of what it writes only half is
// written) or 'ENOSPC@N' (no space from the Nth call on, for what needs some). For tests and scripts/survive-kills.mjs.
import fs from 'node:fs'
import {syncBuiltinESMExports} from 'node:module'
import {fileURLToPath} from 'node:url'

const [kind, place] = (process.env.MAMBATUNE_FAULT ?? '').split('@')
let calls = 0

/** Half of what a call was to write; other calls are left out altogether. */
const HALVES = {
  write: (args) => [args[0], args[1] ?? 0, Math.floor((args[2] ?? args[0].length) / 2), ...args.slice(3)],
  writeSync: (args) => [args[0], args[1], args[2] ?? 0, Math.floor((args[3] ?? args[1].length) / 2), ...args.slice(4)],
}

/** Calls that succeed on a full disk. */
const FREE = new Set(['rename', 'rm', 'rmdir', 'truncate', 'unlink'])

function patch(target, name, isSync = false) {
  const real = target[name]
  target[name] = function (...args) {
    calls += 1
    if (kind === 'kill' && calls === Number(place)) {
      const end = () => process.kill(process.pid, 'SIGKILL')
      const half = HALVES[name]
      if (!half || !ArrayBuffer.isView(args[isSync ? 1 : 0])) return end() && new Promise(() => {})
      const done = real.apply(this, half(args))
      return isSync ? end() : done.then(end)
    }
    if (kind === 'ENOSPC' && calls >= Number(place) && !FREE.has(name)) {
      const error = Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), {
        code: 'ENOSPC',
        syscall: name,
      })
      if (isSync) throw error
      return Promise.reject(error)
    }
    return real.apply(this, args)
  }
}

const handle = await fs.promises.open(fileURLToPath(import.meta.url))
for (const name of ['write', 'sync', 'truncate']) patch(Object.getPrototypeOf(handle), name)
await handle.close()
for (const name of ['copyFile', 'link', 'mkdir', 'rename', 'rm', 'rmdir']) patch(fs.promises, name)
patch(fs, 'writeSync', true)
syncBuiltinESMExports()
