/**
 * The shape of the source tree, read from the files themselves: imports go down the layers, console and process stay at the
 * edge, files stay short, and nothing names the machine that it was written on. docs/architecture.md says why.
 * Imports are read from the syntax tree: static, dynamic, of types, re-exports, require and files named by URL.
 */
import {describe, expect, test} from '@jest/globals'
import {readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'
import picomatch from 'picomatch'
import ts from 'typescript'

/** From the bottom up. Parts on one line may not import each other; a part may import itself and what stands above it here. */
const ORDER: readonly (readonly string[])[] = [
  ['errors.ts', 'nearest-name.ts'],
  ['backend', 'checkpoint', 'data'],
  ['ops'],
  ['model'],
  ['peft'],
  ['train'],
  ['recipe'],
  ['report'],
  ['cli'],
  ['commands'],
  ['index.ts'],
]

/** Who may print and use the process; a process of its own speaks to the one that began it. */
const EDGE = /^src\/(cli|commands)\/|-process\.mjs$/
const KERNELS = 'src/ops/kernels/'
const SOURCE = /\.(ts|mjs|cjs|js)$/

interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly name: string
  readonly text: string
}

interface Import {
  readonly line: number
  /** null: not written out as a plain text. */
  readonly target: string | null
}

/** Everything that a file imports, in the order in which it is written. */
function importsOf({name, text}: SourceFile): Import[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const target = targetOf(node)
    if (target) {
      const {line} = file.getLineAndCharacterOfPosition(node.getStart())
      found.push({line: line + 1, target: ts.isStringLiteralLike(target) ? target.text : null})
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** The expression that names what is imported, if this node imports. */
function targetOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument
  if (ts.isExternalModuleReference(node)) return node.expression
  if (isFileUrl(node)) return node.arguments?.[0]
  if (!ts.isCallExpression(node)) return undefined
  const [argument] = node.arguments
  const imports = node.expression.kind === ts.SyntaxKind.ImportKeyword || isRequire(node.expression)
  return imports && !containsFileUrl(argument) ? argument : undefined
}

function isRequire(expression: ts.Expression): boolean {
  return expression.getText() === 'require' || /^createRequire\(.*\)$/.test(expression.getText())
}

/** new URL('kernel-thread.mjs', import.meta.url) */
function isFileUrl(node: ts.Node): node is ts.NewExpression {
  return ts.isNewExpression(node) && node.arguments?.[1]?.getText() === 'import.meta.url'
}

function containsFileUrl(node: ts.Node): boolean {
  return isFileUrl(node) || (ts.forEachChild(node, containsFileUrl) ?? false)
}

/** What a relative import names, from the root of the repository; null for packages. A name without a dot in front is a file only in a URL. */
function resolve(from: string, target: string): string | null {
  if (/^node:|^@/.test(target) || (!target.startsWith('.') && !SOURCE.test(target))) return null
  const named = path.posix.join(path.posix.dirname(from), target)
  return path.posix.extname(named) === '' ? `${named}.ts` : named.replace(/\.js$/, '.ts')
}

/** 'src/ops/adamw/adamw.ts' → 'ops' */
function partOf(name: string): string {
  return name.split('/')[1]
}

/** undefined for a part that has no place in the order. */
function rankOf(name: string): number | undefined {
  const rank = ORDER.findIndex((parts) => parts.includes(partOf(name)))
  return rank < 0 ? undefined : rank
}

function layeringFaults(file: SourceFile): string[] {
  return importsOf(file).flatMap(({line, target}) => {
    const imported = target === null ? null : resolve(file.name, target)
    if (!imported?.startsWith('src/')) return []
    const [here, there] = [rankOf(file.name) ?? -1, rankOf(imported) ?? ORDER.length]
    const where = `${file.name}:${line} imports ${imported}`
    if (file.name.startsWith(KERNELS) !== imported.startsWith(KERNELS)) {
      return [`${where}, and kernels are compiled apart`]
    }
    if (here > there || partOf(file.name) === partOf(imported)) return []
    return [`${where}, which goes ${here === there ? 'across' : 'up'}`]
  })
}

/** Uses of the globals `console` and `process`, and imports of the modules that hold them. */
function edgeFaults(file: SourceFile): string[] {
  const tree = ts.createSourceFile(file.name, file.text, ts.ScriptTarget.Latest, true)
  const faults = importsOf(file)
    .filter(({target}) => target !== null && /^(node:)?(console|process)$/.test(target))
    .map(({line, target}) => `${file.name}:${line} imports ${target}`)
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && /^(console|process)$/.test(node.text) && !isNameOfMember(node)) {
      faults.push(`${file.name}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1} uses ${node.text}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return faults
}

/** `text.process` and `{process: 1}` are not the global; `globalThis.process` is. */
function isNameOfMember(node: ts.Identifier): boolean {
  const {parent} = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node && parent.expression.getText() !== 'globalThis'
  return (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) && parent.name === node
}

/** The first circle of imports, as the files on it. */
function circle(files: readonly SourceFile[]): string[] | null {
  const imports = new Map(
    files.map((file) => [
      file.name,
      importsOf(file).map(({target}) => (target === null ? null : resolve(file.name, target))),
    ]),
  )
  const done = new Set<string>()
  const search = (names: readonly (string | null)[], trail: readonly string[]): string[] | null => {
    for (const name of names) {
      if (name === null || done.has(name)) continue
      if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name]
      const found = search(imports.get(name) ?? [], [...trail, name])
      if (found) return found
      done.add(name)
    }
    return null
  }
  return search([...imports.keys()], [])
}

/** Paths of home, work and scratch directories, and package registries, which differ from machine to machine. */
const OF_A_MACHINE = [
  /(?<![\w.~$})\]*/-])\/(?:home|root|Users|work|workspaces?|mnt|srv|opt|tmp|var)\/[\w.-]/,
  /\b[A-Za-z]:\\{1,2}(?:Users|Windows|Temp)\b/,
  /\b(?:registry|npm|mirror|artifactory|nexus|verdaccio|pypi)\.[\w-]+\.[a-z]{2,}\b/i,
  /https?:\/\/(?:localhost|127\.|10\.|192\.168\.)/,
  /"resolved":\s*"http/,
]

function machineFaults({name, text}: SourceFile): string[] {
  return OF_A_MACHINE.flatMap((pattern) => {
    const found = pattern.exec(text)
    return found ? [`${name}:${text.slice(0, found.index).split('\n').length} names ${found[0]}`] : []
  })
}

/** All files of the repository but those that .gitignore names; binary files are left out. */
function repositoryFiles(): SourceFile[] {
  const rules = readFileSync('.gitignore', 'utf8').split('\n')
  const isIgnored = picomatch(['.git', ...rules.filter((rule) => rule !== '')], {dot: true})
  const walk = (directory: string): SourceFile[] =>
    readdirSync(directory, {withFileTypes: true}).flatMap((entry): SourceFile[] => {
      if (isIgnored(entry.name)) return []
      const name = path.posix.join(directory, entry.name)
      if (entry.isDirectory()) return walk(name)
      if (!entry.isFile()) return []
      const bytes = readFileSync(name)
      return bytes.includes(0) ? [] : [{name, text: bytes.toString('utf8')}]
    })
  return walk('.')
}

const files = repositoryFiles()
const sources = files.filter(({name}) => name.startsWith('src/') && SOURCE.test(name))
const source = (name: string, text: string): SourceFile => ({name, text})

describe('the source tree', () => {
  test('is all read', () => {
    expect(sources.length).toBeGreaterThan(100)
    expect(sources.flatMap(importsOf).length).toBeGreaterThan(300)
  })

  test('has a place in the order for every part', () => {
    expect(sources.map(({name}) => name).filter((name) => rankOf(name) === undefined)).toEqual([])
  })

  test('imports go down the layers, never up or across', () => {
    expect(sources.flatMap(layeringFaults)).toEqual([])
  })

  test('imports form no circle', () => {
    expect(circle(sources)).toBeNull()
  })

  test('names what it imports; only the optional TensorFlow packages are looked for at run time', () => {
    const unnamed = sources.filter((file) => importsOf(file).some(({target}) => target === null))
    expect(unnamed.map(({name}) => name)).toEqual(['src/backend/tensorflow-device.ts'])
  })

  test('leaves console and process to cli, commands and bin', () => {
    expect(sources.filter(({name}) => !EDGE.test(name)).flatMap(edgeFaults)).toEqual([])
  })

  test('has no file of more than 300 lines (kernels 400), tests and scripts included', () => {
    const own = files.filter(({name}) => SOURCE.test(name) && /^(src|test|scripts|bin|bench)\//.test(name))
    const long = own.filter(
      ({name, text}) => text.trimEnd().split('\n').length > (name.startsWith(KERNELS) ? 400 : 300),
    )
    expect(long.map(({name}) => name)).toEqual([])
  })
})

test('no file of the repository names a path of a machine or a package registry', () => {
  expect(files.flatMap(machineFaults)).toEqual([])
})

describe('the checks see', () => {
  test.each([
    ["import {a} from '../train/train.js'", 'src/model/a.ts:1 imports src/train/train.ts, which goes up'],
    ["\nimport {type A} from '../train/train.js'", 'src/model/a.ts:2 imports src/train/train.ts, which goes up'],
    ["export * from '../index.js'", 'src/model/a.ts:1 imports src/index.ts, which goes up'],
    ["await import('../cli/table.js')", 'src/model/a.ts:1 imports src/cli/table.ts, which goes up'],
    ["let a: import('../peft/lora.js').A", 'src/model/a.ts:1 imports src/peft/lora.ts, which goes up'],
    ["new URL('../train/a.mjs', import.meta.url)", 'src/model/a.ts:1 imports src/train/a.mjs, which goes up'],
    ["require('../nowhere/a.cjs')", 'src/model/a.ts:1 imports src/nowhere/a.cjs, which goes up'],
    [
      "import '../ops/kernels/simd'",
      'src/model/a.ts:1 imports src/ops/kernels/simd.ts, and kernels are compiled apart',
    ],
  ])('an import that goes up: %j', (text, fault) => {
    expect(layeringFaults(source('src/model/a.ts', text))).toEqual([fault])
  })

  test('an import that goes across', () => {
    expect(layeringFaults(source('src/data/a.ts', "import '../checkpoint/dtypes.js'"))).toHaveLength(1)
    expect(layeringFaults(source('src/nearest-name.ts', "import './errors.js'"))).toHaveLength(1)
  })

  test('no fault in imports that go down, stay, or name packages', () => {
    const text = "import './b.js'; import '../ops/a.js'; import '../errors.js'; import 'zod'; import '@oclif/core'"
    expect(layeringFaults(source('src/model/a.ts', text))).toEqual([])
  })

  test('a circle', () => {
    const files = [source('src/data/a.ts', "import './b.js'"), source('src/data/b.ts', "import('./a.js')")]
    expect(circle(files)).toEqual(['src/data/a.ts', 'src/data/b.ts', 'src/data/a.ts'])
  })

  test.each(['console.log(1)', 'const {env} = process', "import 'node:process'", 'globalThis.process.exit()'])(
    'console or process in %j',
    (text) => expect(edgeFaults(source('src/model/a.ts', text))).toHaveLength(1),
  )

  test('no console or process in comments, texts and names of members', () => {
    expect(edgeFaults(source('src/model/a.ts', "// process\nf('console', a.process, {process: 1})"))).toEqual([])
  })

  test.each([
    ['', 'home', 'someone', 'file'].join('/'),
    `"${['', 'tmp', 'x'].join('/')}"`,
    ['C:', 'Users', 'someone'].join('\\'),
    ['registry', 'example', 'org'].join('.'),
    ['http:', '', 'localhost:4873'].join('/'),
  ])('the machine in %j', (text) => {
    expect(machineFaults(source('README.md', `a\n${text}`))).toHaveLength(1)
  })
})
