/** What all flags share that change single values of a recipe; each command adds its description. */
export const setFlag = {
  helpValue: 'key.path=value',
  multiple: true,
  multipleNonGreedy: true,
} as const
