import {readdirSync, readFileSync} from 'node:fs'
import {afterAll, describe, expect, test} from '@jest/globals'
import ts from 'typescript'
import {type DeviceFacts, type Shader} from '../../src/backend/gpu/shader.js'
import {EVERY_SHADER} from './every-shader.js'
import {openChecker, type ShaderChecker} from './shader-check.js'
import {DEVICES} from './shader-variants.js'

const checkers = new Map<string, ShaderChecker>()

async function checkerOf(device: string): Promise<ShaderChecker> {
  const checker = checkers.get(device) ?? (await openChecker(DEVICES[device]))
  checkers.set(device, checker)
  return checker
}

afterAll(() => {
  for (const checker of checkers.values()) checker.close()
})

/** Exported functions and constants of a file that are declared as shaders. */
function generatorsIn(file: string, text: string): string[] {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).statements.flatMap((statement) => {
    if (ts.isFunctionDeclaration(statement)) return named(statement, statement.type, statement.name)
    if (!ts.isVariableStatement(statement)) return []
    return statement.declarationList.declarations.flatMap(({initializer, name, type}) =>
      named(statement, initializer && ts.isArrowFunction(initializer) ? initializer.type : type, name),
    )
  })
}

function named(
  statement: ts.FunctionDeclaration | ts.VariableStatement,
  type: ts.TypeNode | undefined,
  name: ts.Node | undefined,
): string[] {
  const isExported = statement.modifiers?.some(({kind}) => kind === ts.SyntaxKind.ExportKeyword)
  return isExported && type?.getText() === 'Shader' && name ? [name.getText()] : []
}

/** What differs between two shaders with the same name and key, which would be compiled once only. */
function keyFaults(shaders: readonly Shader[]): string[] {
  const codes = new Map<string, string>()
  return shaders.flatMap(({code, key, name}) => {
    const known = codes.get(`${name}\n${key}`)
    codes.set(`${name}\n${key}`, code())
    return known === undefined || known === code() ? [] : [`${name} (${key}) has two codes`]
  })
}

async function faultsOf(shaders: readonly Shader[], device: string): Promise<string[]> {
  const checker = await checkerOf(device)
  const different = new Map(shaders.map((shader) => [`${shader.name}\n${shader.key}`, shader]))
  const faults: string[] = []
  for (const shader of different.values()) {
    const fault = await checker.faultOf(shader)
    if (fault !== null) faults.push(fault)
  }
  return faults
}

const cases = EVERY_SHADER.flatMap(({devices, generator, shaders}) =>
  devices.map((device) => ({
    device,
    name: typeof generator === 'function' ? generator.name : (generator as Shader).name,
    shaders,
  })),
)

describe('every shader', () => {
  test.each(cases)('compiles: $name, $device', async ({device, shaders}) => {
    const made = shaders(DEVICES[device])
    expect(made.length).toBeGreaterThan(0)
    expect((await faultsOf(made, device)).slice(0, 5)).toEqual([])
  })

  test.each(Object.entries(DEVICES))('has a key of its own, %s', (device, facts: DeviceFacts) => {
    const made = EVERY_SHADER.filter(({devices}) => devices.includes(device)).flatMap(({shaders}) => shaders(facts))
    expect(keyFaults(made)).toEqual([])
  })

  test('is in the table', async () => {
    const listed = new Set(EVERY_SHADER.map(({generator}) => generator))
    const files = readdirSync('src', {recursive: true, encoding: 'utf8'}).filter((name) => name.endsWith('.wgsl.ts'))
    expect(files.length).toBeGreaterThan(15)
    const missing: string[] = []
    for (const file of files) {
      const names = generatorsIn(file, readFileSync(`src/${file}`, 'utf8'))
      const module = (await import(`../../src/${file}`)) as Record<string, unknown>
      missing.push(...names.filter((name) => !listed.has(module[name])).map((name) => `${file}: ${name}`))
    }
    expect(missing).toEqual([])
  })
})

describe('the check sees', () => {
  const shader = (code: string): Shader => ({code: () => code, key: 'a', name: 'a test'})
  const out = '@group(0) @binding(0) var<storage, read_write> out: array<f32>;'
  const main = (body: string, size = 64): string => `@compute @workgroup_size(${size}) fn main() { ${body} }`

  test.each([
    ['a type', `${out}\n${main('out[0] = 1u;')}`, /cannot assign 'u32' to 'f32'\n3: @compute/],
    ['a write to an input', `${out.replace('read_write', 'read')}\n${main('out[0] = 1.0;')}`, /read-only/],
    ['a gap between bindings', `${out.replace('(0) var', '(1) var')}\n${main('out[0] = 1.0;')}`, /out of order/],
    ['nothing written', main(''), /writes nothing/],
    ['a feature that is missing', `enable subgroups;\n${out}\n${main('out[0] = subgroupAdd(1.0);')}`, /not allowed/],
    ['too large a workgroup', `${out}\n${main('out[0] = 1.0;', 512)}`, /workgroups of 512/],
    [
      'too much workgroup memory',
      `${out}\nvar<workgroup> tile: array<f32, 5000>;\n${main('out[0] = tile[0];')}`,
      /20000 bytes/,
    ],
    [
      'a barrier that not all reach',
      `${out}\n@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) { if (i == 0u) { workgroupBarrier(); } out[0] = 1.0; }`,
      /uniform control flow/,
    ],
  ])('%s', async (_, code, fault) => {
    const checker = await checkerOf('no subgroups')
    expect(await checker.faultOf(shader(code))).toMatch(fault)
  })

  test('nothing wrong with a shader that is right', async () => {
    const checker = await checkerOf('no subgroups')
    expect(await checker.faultOf(shader(`${out}\n${main('out[0] = 1.0;')}`))).toBeNull()
  })

  test('two codes under one key', () => {
    expect(keyFaults([shader(main('')), shader(main(';'))])).toHaveLength(1)
  })
})
