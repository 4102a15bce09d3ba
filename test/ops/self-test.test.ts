import {afterAll, describe, expect, test} from '@jest/globals'
import {gpuHost} from '../../src/backend/gpu/current.js'
import {closeKernelThreads} from '../../src/backend/kernel-host.js'
import {EXIT, InterruptedError, NumericError} from '../../src/errors.js'
import {toTensors} from '../../src/ops/operation.js'
import {differences, TOLERANCES} from '../../src/ops/self-test/compare.js'
import {type Check, requireAllRight, selfTest, SUBJECTS, subjectsNamed} from '../../src/ops/self-test/self-test.js'
import {operation, type OperationCase} from '../../src/ops/self-test/operation-subject.js'
import {type Subject} from '../../src/ops/self-test/subject.js'
import {normals, type Tensors} from '../../src/ops/self-test/values.js'
import {versionsFor} from '../../src/ops/self-test/versions.js'
import {describeGpu} from '../support/gpu.js'
import * as tf from '@tensorflow/tfjs-core'

afterAll(closeKernelThreads)

const arrays = (...values: number[]): {y: Float32Array} => ({y: Float32Array.from(values)})

describe('a comparison', () => {
  const {f16, f32} = TOLERANCES

  test('gives the largest difference as a share of the largest expected value', () => {
    expect(differences(arrays(4, 1), arrays(4, 1 + 2 ** -18), f32).y).toEqual({error: 2 ** -20, fault: null})
    expect(differences(arrays(0, 0), arrays(0, 0), f32).y).toEqual({error: 0, fault: null})
  })

  test.each([
    ['a value that is off by more than its share', arrays(100, 1.002), arrays(100, 1)],
    ['NaN', arrays(1, NaN), arrays(1, 1)],
    ['infinity', arrays(Infinity, 1), arrays(1, 1)],
    ['NaN where it is expected too', arrays(NaN), arrays(NaN)],
    ['anything where zero is expected', arrays(1e-30), arrays(0)],
    ['too few values', arrays(1), arrays(1, 1)],
    ['a result that is missing', {}, arrays(1)],
    ['a result that nobody expects', arrays(1), {}],
  ])('finds %s', (_, actual, expected) => {
    expect(differences(actual, expected, f32).y.fault).not.toBeNull()
  })

  test('allows f16 its roundings, and no more', () => {
    expect(differences(arrays(1 + 2 ** -10, 1), arrays(1, 1), f16).y.fault).toBeNull()
    expect(differences(arrays(1 + 2 ** -8, 1), arrays(1, 1), f16).y.fault).toMatch(/^\[0\] is 1.00390625, expected 1;/)
  })
})

describe('the subjects', () => {
  test('have names of their own, found by parts of them', () => {
    const names = SUBJECTS.map(({kernel, sizes}) => `${kernel} ${sizes}`)
    expect(new Set(names).size).toBe(names.length)
    expect(subjectsNamed(['NORM']).every(({kernel}) => kernel.endsWith('rms norm'))).toBe(true)
    expect(() => subjectsNamed(['nothing'])).toThrow('no kernel named nothing')
  })

  test('are checked without matrix units only where there are some', () => {
    const facts = {bindingBytes: 0, f16: true, subgroupSize: 32, workgroupBytes: 0, workgroupInvocations: 0}
    const names = (matrixUnits: boolean): string[] => versionsFor({...facts, matrixUnits}).map(({name}) => name)
    expect(names(true)).toContain('no matrix units')
    expect(names(false)).not.toContain('no matrix units')
  })
})

const double: OperationCase = {
  call: ({x}) => ({y: tf.mul(x, 2)}),
  inputs: () => ({x: normals('double')([5, 16])}),
  kernel: 'double',
  sizes: '5 × 16',
  stored: ['x', 'y'],
  trained: ['x'],
}
const right = operation(double)

/** Wrong on the GPU alone, by one part in a hundred. */
const wrong = operation({...double, call: ({x}) => ({y: tf.mul(x, gpuHost() ? 2.02 : 2)}), kernel: 'wrong double'})

function refused({x}: Tensors): Tensors {
  const shader = {code: () => 'fn main( {', key: '', name: 'a shader that does not compile'}
  const made = gpuHost()?.launch({grid: [1, 1, 1], inputs: [x], outputs: [{format: 'f32', shape: [16]}], shader})
  return {y: made ? toTensors(made)[0] : tf.zeros([16])}
}

const passes = ({faults}: Check): boolean => Object.keys(faults).length === 0

describeGpu('the self-test', () => {
  const versions = 4

  test('passes what is right, in every version, value and gradient', async () => {
    const checks = await selfTest({subjects: [right]})
    expect(checks.map(({precision, version}) => `${precision} ${version}`)).toEqual(
      expect.arrayContaining(['f16 all features', 'f32 fewest features']),
    )
    expect(checks.every(passes)).toBe(true)
    expect(Object.keys(checks[0].errors).sort()).toEqual(['dX', 'y', 'y alone'])
    expect(() => requireAllRight(checks)).not.toThrow()
  })

  test('finds a kernel that is wrong, by name, in value and gradient', async () => {
    const checks = await selfTest({subjects: [right, wrong]})
    const failed = checks.filter((check) => !passes(check))
    expect(failed.length).toBe(checks.length / 2)
    expect(failed.every(({errors, faults, kernel}) => kernel === 'wrong double' && 'dX' in faults && errors.y > 0.009))
    const error = thrownBy(() => requireAllRight(checks))
    expect(error).toBeInstanceOf(NumericError)
    expect(error).toMatchObject({
      exit: EXIT.numeric,
      faults: expect.arrayContaining([
        {message: expect.stringMatching(/^dX \[\d+\] is /), where: 'wrong double, f32 all features, 5 × 16'},
      ]),
    })
  })

  test('finds a kernel that the GPU refuses, and checks the rest on a fresh one', async () => {
    const refusing: Subject = operation({...double, call: refused, kernel: 'refused', trained: []})
    const checks = await selfTest({subjects: [refusing, right]})
    expect(checks.length).toBeGreaterThanOrEqual(2 * versions)
    for (const check of checks) {
      expect(passes(check)).toBe(check.kernel === 'double')
      if (!passes(check)) expect(check.faults['']).toContain('a shader that does not compile')
    }
  })

  test('stops when it is asked to', async () => {
    const reason = new InterruptedError('Stopped.')
    await expect(selfTest({signal: AbortSignal.abort(reason), subjects: [right]})).rejects.toBe(reason)
  })
})

function thrownBy(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return null
}
