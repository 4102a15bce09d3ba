/**
 * A WebGPU device on paper: it takes every call, makes nothing and computes nothing. The backend on it counts buffers as on
 * a real one, so that a training step can be rehearsed to learn what memory it takes.
 */

/** Every member that the backend calls, and no other. */
export function paperDevice(): GPUDevice {
  return {
    createBindGroup: nothing,
    createBindGroupLayout: nothing,
    createBuffer: ({size}: GPUBufferDescriptor) => paperBuffer(size),
    createCommandEncoder: paperEncoder,
    createComputePipeline: nothing,
    createPipelineLayout: nothing,
    createShaderModule: nothing,
    destroy: nothing,
    features: new Set(),
    lost: new Promise(() => {}),
    onuncapturederror: null,
    popErrorScope: () => Promise.resolve(null),
    pushErrorScope: nothing,
    queue: {onSubmittedWorkDone: () => Promise.resolve(), submit: nothing, writeBuffer: nothing},
  } as unknown as GPUDevice
}

const nothing = (): object => ({})

function paperBuffer(size: number): object {
  const mapAsync = (): Promise<void> => Promise.resolve()
  return {destroy: nothing, getMappedRange: () => new ArrayBuffer(size), mapAsync, size, unmap: nothing}
}

function paperEncoder(): object {
  const pass = {
    dispatchWorkgroups: nothing,
    end: nothing,
    setBindGroup: nothing,
    setImmediates: nothing,
    setPipeline: nothing,
  }
  return {beginComputePass: () => pass, clearBuffer: nothing, copyBufferToBuffer: nothing, finish: nothing}
}
