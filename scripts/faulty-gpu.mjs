// Loaded before the program (node --import): takes the GPU away in the middle of its work. MAMBATUNE_GPU_FAULT is 'lost@N':
// the device is gone when it has been given its Nth batch of commands, as after a driver's reset. For tests.
import {globals} from 'webgpu'

const [kind, place] = (process.env.MAMBATUNE_GPU_FAULT ?? '').split('@')
if (kind !== 'lost') throw new Error(`MAMBATUNE_GPU_FAULT: expected lost@N, got ${kind}`)

const {requestDevice} = globals.GPUAdapter.prototype
globals.GPUAdapter.prototype.requestDevice = async function (...args) {
  const device = await requestDevice.apply(this, args)
  const {queue} = device
  const submit = queue.submit.bind(queue)
  let calls = 0
  const counted = (buffers) => {
    submit(buffers)
    calls += 1
    if (calls === Number(place)) device.destroy()
  }
  Object.defineProperty(queue, 'submit', {value: counted})
  Object.defineProperty(device, 'queue', {value: queue})
  return device
}
