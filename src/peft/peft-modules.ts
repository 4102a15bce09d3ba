/** How the files of PEFT name what is adapted. */

/** `target_modules`: a projection by its bare name where it is adapted in all layers, else module by module. */
export function moduleNames(
  adapted: readonly {readonly module: string; readonly projection: string}[],
  everywhere: ReadonlySet<string>,
): string[] {
  const names = adapted.map(({module, projection}) => (everywhere.has(projection) ? projection : module))
  return [...new Set(names)].sort()
}
