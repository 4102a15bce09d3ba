/** The table of `mambatune doctor --deep`: every kernel in every version, with its largest errors. */
import {type Check} from '../ops/self-test/self-test.js'
import {isGradient} from '../ops/self-test/subject.js'
import {formatTable} from './table.js'

export function selfTestText(checks: readonly Check[]): string {
  const versions = new Map<string, Check[]>()
  for (const check of checks) {
    const name = `${check.precision}, ${check.version}`
    versions.set(name, [...(versions.get(name) ?? []), check])
  }
  const tables = [...versions].map(([name, ofVersion]) => versionText(name, ofVersion))
  return ['Largest errors, as shares of the largest expected value:', ...tables, summary(checks)].join('\n\n')
}

function versionText(name: string, checks: readonly Check[]): string {
  const [{tolerance}] = checks
  const allowed = `${power(tolerance.absolute)} of the largest + ${power(tolerance.relative)} of each`
  const table = formatTable(checks.map(rowOf), {
    align: ['left', 'left', 'right', 'right'],
    header: ['KERNEL', 'SIZES', 'VALUE', 'GRADIENT', ''],
  })
  return `${name}; allowed: ${allowed}\n${table}`
}

function rowOf({errors, faults, kernel, sizes}: Check): string[] {
  const entries = Object.entries(errors)
  const values = entries.filter(([name]) => !isGradient(name)).map(([, error]) => error)
  const gradients = entries.filter(([name]) => isGradient(name)).map(([, error]) => error)
  return [kernel, sizes, worst(values), worst(gradients), Object.keys(faults).length > 0 ? 'FAIL' : 'ok']
}

const worst = (errors: readonly number[]): string => (errors.length === 0 ? '' : power(Math.max(...errors)))

/** `4e-7` */
function power(value: number): string {
  return value === 0 || !Number.isFinite(value) ? String(value) : value.toExponential(0)
}

function summary(checks: readonly Check[]): string {
  const failed = checks.filter(({faults}) => Object.keys(faults).length > 0).length
  if (failed === 0) return `All ${checks.length} checks passed: values and gradients are those of device cpu.`
  return `${failed} of ${checks.length} checks failed.`
}
