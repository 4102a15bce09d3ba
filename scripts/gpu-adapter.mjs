// Prints what answers as a GPU, and ends with 1 where nothing does. VK_DRIVER_FILES says which Vulkan driver is asked.
// Usage: node scripts/gpu-adapter.mjs
import process from 'node:process'
import {create} from 'webgpu'

// Dawn keeps Node alive, and the process dies if its root object is collected while work is pending: keep it in sight.
globalThis.gpu = create([])
const adapter = await globalThis.gpu.requestAdapter().catch(() => null)
if (adapter) {
  const {architecture, description, device, vendor} = adapter.info
  console.log([vendor, architecture, device, description].filter((part) => part !== '').join(', '))
} else {
  console.error('no GPU adapter answers')
  process.exitCode = 1
}
delete globalThis.gpu
