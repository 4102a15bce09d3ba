/** `instanceof Error` is false for errors out of another realm, such as Node's own when seen from a test runner's sandbox. */
export function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value && 'stack' in value
}
