/**
 * Every kernel on this very GPU against device `cpu`: value and each gradient, in all versions that the GPU can run, with
 * bounds checks and validation on. A kernel that the driver refuses is a fault like any other, and the rest is still checked.
 */
import * as tf from '@tensorflow/tfjs-core'
import {startDevice} from '../../backend/devices.js'
import {GPU_BACKEND} from '../../backend/gpu/current.js'
import {type GpuDevice, openGpu, startGpu} from '../../backend/gpu/gpu-device.js'
import {DeviceError, type Fault, MambatuneError, NumericError, UsageError} from '../../errors.js'
import {adamwSubjects} from './adamw-subject.js'
import {differences, type Tolerance, TOLERANCES} from './compare.js'
import {genericSubjects} from './generic-subjects.js'
import {mamba2Subjects} from './mamba2-subjects.js'
import {productSubjects} from './product-subjects.js'
import {sequenceSubjects} from './sequence-subjects.js'
import {type Precision, type Results, type Subject} from './subject.js'
import {type Version, versionsFor} from './versions.js'

export const SUBJECTS: readonly Subject[] = [
  ...productSubjects,
  ...sequenceSubjects,
  ...mamba2Subjects,
  ...adamwSubjects,
  ...genericSubjects,
]

/** Those whose kernels' names contain one of these. Errors: UsageError when there are none. */
export function subjectsNamed(parts: readonly string[]): Subject[] {
  const found = SUBJECTS.filter(({kernel}) => parts.some((part) => kernel.toLowerCase().includes(part.toLowerCase())))
  if (found.length > 0) return found
  const names = [...new Set(SUBJECTS.map(({kernel}) => kernel))]
  throw new UsageError(`There is no kernel named ${parts.join(' or ')}.`, {
    hint: `These are there: ${names.join(', ')}`,
  })
}

/** One kernel in one version. */
export interface Check {
  readonly kernel: string
  readonly sizes: string
  readonly version: string
  readonly precision: Precision
  readonly tolerance: Tolerance
  /** Largest difference as a share of the largest expected value: of outputs by name, of gradients as `dX` */
  readonly errors: Readonly<Record<string, number>>
  /** What is wrong, by the same names; `''` for a kernel that did not run */
  readonly faults: Readonly<Record<string, string>>
}

export interface SelfTestOptions {
  readonly subjects?: readonly Subject[]
  readonly report?: (done: number, total: number, kernel: string) => void
  readonly signal?: AbortSignal
}

/** Checks everything; faults are in the result. Errors: DeviceError without a GPU, InterruptedError by the signal. */
export async function selfTest(options: SelfTestOptions = {}): Promise<Check[]> {
  const {report = () => {}, signal, subjects = SUBJECTS} = options
  const {facts, software} = await descriptionOf()
  const fitting = subjects.filter(({costly = false}) => !(costly && software))
  const versions = versionsFor(facts)
  const expectations = new Expectations()
  const checks: Check[] = []
  await startDevice('cpu')
  for (const version of versions) {
    const bench = await Bench.open(version)
    try {
      for (const subject of fitting) {
        signal?.throwIfAborted()
        report(checks.length, versions.length * fitting.length, subject.kernel)
        checks.push(await bench.check(subject, await expectations.of(subject, version.precision)))
      }
    } finally {
      bench.close()
    }
  }
  return checks
}

async function descriptionOf(): Promise<GpuDevice['description']> {
  const found = await openGpu({checked: true, precision: 'f32'})
  found?.close()
  return orRefuse(found).description
}

function orRefuse(found: GpuDevice | null): GpuDevice {
  if (found) return found
  throw new DeviceError('No GPU answers, so there is nothing to check.', {
    hint: 'mambatune doctor says what is missing.',
  })
}

/** What device `cpu` says, computed once for all versions. */
class Expectations {
  private readonly known: Record<Precision, Map<Subject, Results>> = {f16: new Map(), f32: new Map()}

  async of(subject: Subject, precision: Precision): Promise<Results> {
    const known = this.known[precision].get(subject)
    if (known) return known
    await tf.setBackend('wasm')
    const expected = await subject.expected(precision)
    this.known[precision].set(subject, expected)
    return expected
  }
}

/** The GPU in one version; opened anew after a fault of its own, because nothing that it says afterwards can be trusted. */
class Bench {
  private constructor(
    private readonly version: Version,
    private gpu: GpuDevice,
  ) {}

  static async open(version: Version): Promise<Bench> {
    return new Bench(version, await start(version))
  }

  async check(subject: Subject, expected: Results): Promise<Check> {
    const {name, precision} = this.version
    const {kernel, sizes} = subject
    const tolerance = TOLERANCES[precision]
    const check = {kernel, precision, sizes, tolerance, version: name}
    try {
      await tf.setBackend(GPU_BACKEND)
      const results = await subject.results(precision)
      await this.gpu.backend.finish()
      const found = Object.entries(differences(results, expected, tolerance))
      const faults = found.flatMap(([output, {fault}]) => (fault === null ? [] : [[output, fault] as const]))
      const errors = found.map(([output, {error}]) => [output, error] as const)
      return {...check, errors: Object.fromEntries(errors), faults: Object.fromEntries(faults)}
    } catch (error) {
      await this.gpu.backend.finish().catch(() => {}) // the device must not go while answers are due
      this.close()
      this.gpu = await start(this.version)
      return {...check, errors: {}, faults: {'': describe(error)}}
    }
  }

  close(): void {
    this.gpu.close()
  }
}

async function start({facts, precision}: Version): Promise<GpuDevice> {
  return orRefuse(await startGpu({checked: true, facts, precision}))
}

function describe(error: unknown): string {
  if (!(error instanceof MambatuneError)) {
    return `did not run: ${error instanceof Error ? error.message : String(error)}`
  }
  return [error.message, ...error.faults.map(({message}) => message.split('\n')[0])].join(' ')
}

/** Errors: NumericError that names each check that failed. */
export function requireAllRight(checks: readonly Check[]): void {
  const failed = checks.filter(({faults}) => Object.keys(faults).length > 0)
  if (failed.length === 0) return
  throw new NumericError(`${failed.length} of ${checks.length} checks of this GPU failed.`, {
    faults: failed.flatMap(faultsOf),
    hint: 'Update the graphics driver and use --device cpu until this passes. If the driver is new, please report this.',
  })
}

function faultsOf({faults, kernel, precision, sizes, version}: Check): Fault[] {
  const where = `${kernel}, ${precision} ${version}, ${sizes}`
  return Object.entries(faults).map(([output, fault]) => ({message: `${output} ${fault}`.trim(), where}))
}
