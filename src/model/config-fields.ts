/** Reads the fields of a config.json one by one and notes what is wrong with them, so that all faults are told at once. */
import {type Fault} from '../errors.js'

export class ConfigFields {
  readonly faults: Fault[] = []

  /** @param where names the file in messages */
  constructor(
    private readonly raw: Readonly<Record<string, unknown>>,
    private readonly where: string,
  ) {}

  /** The value as it stands there, null if it does not. */
  value(key: string): unknown {
    return this.raw[key] ?? null
  }

  /** A whole number above 0. */
  whole(key: string, fallback?: number): number {
    const value = this.raw[key] ?? fallback
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
    this.refuse(key, 'a whole number above 0', value)
    return 1
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw[key] ?? fallback
    if (typeof value === 'boolean') return value
    this.refuse(key, 'true or false', value)
    return fallback
  }

  positive(key: string, fallback: number): number {
    const value = this.raw[key] ?? fallback
    if (typeof value === 'number' && value > 0) return value
    this.refuse(key, 'a number above 0', value)
    return fallback
  }

  /** Nothing else than this value, which is also what is meant where there is none. */
  only(key: string, expected: string | boolean): void {
    const value = this.raw[key] ?? expected
    if (value !== expected) this.refuse(key, JSON.stringify(expected), value)
  }

  refuse(key: string, expected: string, value: unknown = this.raw[key]): void {
    this.faults.push({message: `${key} is ${JSON.stringify(value ?? null)}, expected ${expected}`, where: this.where})
  }
}
