import {expect, test} from '@jest/globals'
import {BufferPool} from '../../src/backend/gpu/buffer-pool.js'
import {paperDevice} from '../../src/backend/gpu/paper-device.js'
import {createLayout, Pipelines} from '../../src/backend/gpu/pipelines.js'

test('a buffer that is kept remembers no bind group whose other buffers are gone', () => {
  const device = paperDevice()
  const destroyable = (): GPUBuffer => ({destroy: () => {}}) as unknown as GPUBuffer
  const pool = new BufferPool(destroyable, () => {}, 1 << 20)
  const pipelines = new Pipelines(device, (_, work) => work())
  const layout = createLayout(device, 1, 1)
  const kept = pool.allocate(4096)
  const bound = (allocation: typeof kept) => ({allocation, at: 0, bytes: 4096})
  const lasting = pool.allocate(4096)
  pipelines.bindGroup(layout, [bound(kept), bound(lasting)])
  for (let i = 1; i <= 20; i++) {
    const passing = pool.allocate(8192 * i)
    pipelines.bindGroup(layout, [bound(kept), bound(passing)])
    pool.release(passing)
    pool.clear()
  }
  expect(kept.bindGroups.size).toBe(1)
  expect(layout.bindGroups.size).toBe(1)
  pool.release(lasting)
  pool.clear()
  expect(kept.bindGroups.size).toBe(0)
  expect(layout.bindGroups.size).toBe(0)
})
