/** The processes of this machine, as a lock wants to know them. */
import {readFile} from 'node:fs/promises'
import {type Processes} from '../checkpoint/directory-lock.js'

export const processes: Processes = {
  isAlive(pid) {
    try {
      process.kill(pid, 0) // sends nothing
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' // it lives, and belongs to somebody else
    }
  },
  pid: process.pid,
  /** Linux says it: the boot's name, and the process's start in ticks since then, the 22nd field of its stat file. */
  async startOf(pid) {
    try {
      const [boot, status] = await Promise.all(
        ['/proc/sys/kernel/random/boot_id', `/proc/${pid}/stat`].map((file) => readFile(file, 'utf8')),
      )
      // The second field, the program's name, may hold spaces and brackets itself.
      const ticks = status.slice(status.lastIndexOf(')') + 2).split(' ')[19]
      return `${boot.trim()} ${ticks}`
    } catch {
      return null
    }
  },
}
