/** `data.validation` as a share of the training rows, such as 5%, instead of files. */

/** What the text of a share looks like, wrong ones and 0.05 included; a file of such a name can be given as ./5% */
const LIKE_A_SHARE = /^\s*(?:[-+]?[\d.,]+\s*%|0?\.\d+)\s*$/

export const isLikeShare = (text: string): boolean => LIKE_A_SHARE.test(text)

/** 0.05 for 5%; null for what is no percentage above 0 and below 50. */
export function parseShare(text: string): number | null {
  const number = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text)?.[1]
  if (number === undefined) return null
  const percent = Number(number)
  return percent > 0 && percent < 50 ? percent / 100 : null
}

/** The share that a recipe holds out; null where it names files, or nothing. */
export function validationShare(validation: string | readonly string[] | null): number | null {
  return typeof validation === 'string' ? parseShare(validation) : null
}

/** What is wrong with a text that looks like a share and is none. */
export const wrongShare = (text: string): string =>
  `expected a share above 0% and below 50%, such as 5%, got ${text.trim()}`
