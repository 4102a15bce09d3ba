/** metrics.jsonl without what depends on the clock and the machine's memory, which is all that two runs of one recipe may differ in. */
import {readFile} from 'node:fs/promises'

const TIMES = ['elapsed_s', 'memory_bytes', 'tokens_per_second']

export async function untimed(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return lines.map((line) => {
    if (line === '') return line
    const event = JSON.parse(line) as Record<string, unknown>
    return JSON.stringify(Object.fromEntries(Object.entries(event).filter(([key]) => !TIMES.includes(key))))
  })
}
