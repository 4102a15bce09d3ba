import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {cp, mkdir, mkdtemp, rm, symlink} from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('device-process.mjs', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly errors: string
  readonly output: string
  /** Milliseconds from the last output to the end of the process. */
  readonly lingered: number
}

/** Runs Node in the checkout; a process that has not ended after `limit` milliseconds is stopped and has no exit code. */
function run(args: readonly string[], limit: number): Promise<Ended> {
  const child = spawn(process.execPath, args, {cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: limit})
  let output = ''
  let errors = ''
  let spoke = performance.now()
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    spoke = performance.now()
  })
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({code, errors, lingered: performance.now() - spoke, output}))
  })
}

/** A package folder in `directory` whose code is compiled afresh, for a checkout that has not been built. */
async function compileInto(directory: string): Promise<string> {
  await mkdir(directory, {recursive: true})
  await cp(path.join(root, 'package.json'), path.join(directory, 'package.json'))
  for (const name of ['build', 'node_modules']) await symlink(path.join(root, name), path.join(directory, name))
  const compiled = path.join(directory, 'dist')
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
  const {code, output} = await run([compiler, '-p', 'tsconfig.build.json', '--outDir', compiled], 110_000)
  if (code !== 0) throw new Error(output)
  return compiled
}

describe('a program that uses the cpu device', () => {
  let directory: string
  let compiled = path.join(root, 'dist')

  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'mambatune-'))
    if (!existsSync(path.join(compiled, 'backend/devices.js'))) compiled = await compileInto(directory)
  })

  afterAll(() => rm(directory, {force: true, recursive: true}))

  test('comes to its end by itself, with the same results on one thread and on two', async () => {
    const digests: string[] = []
    for (const threads of [1, 2]) {
      const {code, errors, lingered, output} = await run([program, compiled, `${threads}`], 30_000)
      expect({code, errors}).toMatchObject({code: 0})
      expect(lingered).toBeLessThan(5000)
      const {description, digest} = JSON.parse(output) as {description: string; digest: string}
      expect(description).toContain(`${threads} thread`)
      digests.push(digest)
    }
    expect(digests[1]).toBe(digests[0])
  })
})
