import {describe, expect, test} from '@jest/globals'
import {LARGE_GPU} from '../../src/backend/gpu/rehearsal.js'
import {DeviceError} from '../../src/errors.js'
import {planScan} from '../../src/ops/selective-scan/scan-plan.js'

const SMALL = {...LARGE_GPU, subgroupSize: null, workgroupBytes: 16_384, workgroupInvocations: 256}

describe('states that the scan on the GPU takes', () => {
  test.each([1, 16, 17, 22, 64])('%i with the least memory that WebGPU promises', (states) => {
    for (const direction of ['forward', 'backward'] as const) {
      expect(4 * planScan(direction, {channels: 1536, states}, SMALL).stateLanes).toBeGreaterThanOrEqual(states)
    }
  })

  test('more than fit are refused before a shader is made', () => {
    expect(() => planScan('backward', {channels: 1536, states: 65}, SMALL)).toThrow(DeviceError)
    expect(planScan('backward', {channels: 1536, states: 128}, LARGE_GPU).stateLanes).toBe(32)
    expect(() => planScan('backward', {channels: 1536, states: 129}, LARGE_GPU)).toThrow(/129 states a channel/)
  })
})
