import {describe, expect, test} from '@jest/globals'

import {recipeJsonSchema} from '../../src/recipe/json-schema.js'

interface SchemaNode {
  readonly [key: string]: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: unknown
  readonly oneOf?: readonly SchemaNode[]
}

/** Every property below a node, by its dotted path. */
function properties(node: SchemaNode, path = ''): [string, SchemaNode][] {
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]): [string, SchemaNode][] => [
    [`${path}${name}`, child],
    ...properties(child, `${path}${name}.`),
  ])
  const items =
    typeof node.items === 'object' && !Array.isArray(node.items) ? properties(node.items as SchemaNode, path) : []
  return [...own, ...items, ...(node.oneOf ?? []).flatMap((choice) => properties(choice, path))]
}

describe('recipeJsonSchema', () => {
  const schema = recipeJsonSchema() as SchemaNode

  test('names its draft and has a title', () => {
    expect(schema).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'mambatune recipe',
      type: 'object',
    })
  })

  test('requires only what has no default', () => {
    expect(schema.required).toEqual(['version', 'model', 'adapters', 'data'])
    expect(schema.properties?.['data'].required).toEqual(['train'])
    expect(schema.properties?.['model'].required).toEqual(['base'])
  })

  test('describes every key and refuses unknown ones', () => {
    const all = properties(schema)
    expect(all.length).toBeGreaterThan(40)
    expect(all.filter(([, node]) => typeof node['description'] !== 'string').map(([path]) => path)).toEqual([])
    const objects = all.filter(([, node]) => node['type'] === 'object')
    expect(objects.filter(([, node]) => node['additionalProperties'] !== false).map(([path]) => path)).toEqual([])
  })

  test('tells editors defaults, choices and that shares end below 1', () => {
    const all = new Map(properties(schema))
    expect(all.get('train.batch_size')).toMatchObject({default: 8, minimum: 1, type: 'integer'})
    expect(all.get('train.schedule.name')?.['enum']).toEqual(['constant', 'linear', 'cosine', 'wsd'])
    expect(all.get('train.schedule.warmup')?.['anyOf']).toEqual([{exclusiveMaximum: 1}, {multipleOf: 1}])
    expect(all.get('data.packing')?.['type']).toBe('boolean')
  })
})
