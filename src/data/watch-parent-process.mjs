/** A thread that ends its process once the one that began it is gone, however busy the process's own thread is. */
import process from 'node:process'
import {setInterval} from 'node:timers'
import {workerData} from 'node:worker_threads'

setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL')
}, 1000)
