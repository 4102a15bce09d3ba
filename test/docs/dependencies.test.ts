import {expect, test} from '@jest/globals'
import {readFile} from 'node:fs/promises'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const read = async (): Promise<Manifest> => JSON.parse(await readFile('package.json', 'utf8')) as Manifest

test('every dependency is pinned to one version', async () => {
  const {dependencies, devDependencies} = await read()
  const versions = Object.entries({...dependencies, ...devDependencies})
  expect(versions.length).toBeGreaterThan(30)
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
})

test('every dependency has its reason in docs/dependencies.md', async () => {
  const {dependencies, devDependencies} = await read()
  const text = await readFile('docs/dependencies.md', 'utf8')
  const listed = (name: string): boolean =>
    text.includes(`\`${name}\``) || (name.startsWith('@types/') && text.includes('`@types/*`'))
  const [rows] = text.split('## For building and checking')
  expect(Object.keys(dependencies).filter((name) => !rows.includes(`| \`${name}\``))).toEqual([])
  expect(Object.keys(devDependencies).filter((name) => !listed(name))).toEqual([])
})

interface Locked {
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}

async function lockedIn(folder: string): Promise<[name: string, Locked][]> {
  const {packages} = JSON.parse(await readFile(`${folder}/package-lock.json`, 'utf8')) as {
    packages: Readonly<Record<string, Locked>>
  }
  return Object.entries(packages).filter(([name]) => name !== '')
}

test.each(['.', 'test/llama-cpp', 'test/fuzz-coverage'])('every package locked in %s has a SHA-512', async (folder) => {
  const locked = await lockedIn(folder)
  expect(locked.length).toBeGreaterThan(50)
  expect(locked.filter(([, {integrity}]) => !integrity?.startsWith('sha512-'))).toEqual([])
})

test('of what comes with the program, one package runs a script when it is installed', async () => {
  const own = (await lockedIn('.')).filter(([, {dev, devOptional, optional}]) => !dev && !devOptional && !optional)
  const running = own.filter(([, {hasInstallScript}]) => hasInstallScript)
  expect(running.map(([name]) => name)).toEqual(['node_modules/webgpu'])
})
