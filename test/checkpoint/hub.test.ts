/** Models of the hub, fetched from a server on this machine. */
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import {mkdtemp, readFile, readlink, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import {cachedModels, removeModel} from '../../src/checkpoint/hub/hub-list.js'
import {fetchModel, fetchTokenizer, type HubEvent, type HubModel} from '../../src/checkpoint/hub/hub-model.js'
import {locateModel, locateTokenizer, USUAL_TOKENIZER} from '../../src/checkpoint/hub/locate.js'
import {parseHubName} from '../../src/checkpoint/hub/hub-name.js'
import {hubSettings, type HubSettings} from '../../src/checkpoint/hub/hub-settings.js'
import {EXIT} from '../../src/errors.js'
import {COMMIT, HubServer, LOOPBACK} from './hub-server.js'
import {namesIn, refusalOf} from './scratch.js'

const WEIGHTS = Buffer.from(Array.from({length: 300_000}, (_, i) => (i * 7919) % 256))
const NAME = {repository: 'some/model', revision: 'main'}

let hub: HubServer
let cache: string
/** Holds the cache two levels below: what gets out of that is found here. */
let outer: string

beforeEach(async () => {
  hub = new HubServer()
  await hub.start()
  outer = await mkdtemp(path.join(tmpdir(), 'mambatune-hub-'))
  cache = path.join(outer, 'a', 'cache')
  hub.files.set('config.json', Buffer.from('{"model_type": "mamba"}'))
  hub.files.set('tokenizer.json', Buffer.from('{}'))
  hub.files.set('model.safetensors', WEIGHTS)
  hub.files.set('pytorch_model.bin', Buffer.from('not needed'))
  hub.files.set('onnx/model.onnx', Buffer.from('not needed'))
})

afterEach(async () => {
  await hub.stop()
  await rm(outer, {force: true, recursive: true})
})

const fetchIt = (more: Partial<HubSettings> = {}, report?: (event: HubEvent) => void): Promise<HubModel> =>
  fetchModel(NAME, {settings: hub.settings(cache, more), ...(report && {report})})

const textOf = async (promise: Promise<unknown>): Promise<string> => (await refusalOf(promise)).text
const filesAsked = (): string[] => hub.asked.filter((line) => line.includes('/cdn/'))

describe('a model of the hub', () => {
  test('is laid out as other programs lay it out, with the files that are needed and no other', async () => {
    const seen = new Map<string, number>()
    const model = await fetchIt({}, (event) => event.event === 'file' && seen.set(event.file, event.done / event.total))
    const folder = path.join(cache, 'models--some--model')
    expect(model).toMatchObject({commit: COMMIT, directory: path.join(folder, 'snapshots', COMMIT)})
    expect(await namesIn(model.directory)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    expect(await readFile(path.join(folder, 'refs', 'main'), 'utf8')).toBe(COMMIT)
    expect(await readlink(path.join(model.directory, 'model.safetensors'))).toMatch(/^..\/..\/blobs\/[\da-f]{64}$/)
    expect(await readFile(path.join(model.directory, 'model.safetensors'))).toEqual(WEIGHTS)
    expect(Object.fromEntries(seen)).toEqual({'config.json': 1, 'model.safetensors': 1, 'tokenizer.json': 1})
    expect(model.downloaded).toBe(model.bytes)
  })

  test('is downloaded once', async () => {
    await fetchIt()
    hub.asked.length = 0
    expect(await fetchIt()).toMatchObject({bytes: WEIGHTS.length + 25, downloaded: 0})
    expect(filesAsked()).toEqual([])
  })

  test('goes on where the connection broke', async () => {
    hub.faults.cutAfter = 120_000
    const {directory} = await fetchIt()
    const ofTheWeights = filesAsked().filter((line) => line.includes('safetensors'))
    expect(ofTheWeights).toEqual([
      'GET /cdn/model.safetensors',
      expect.stringMatching(/ bytes=\d+-$/),
      expect.stringMatching(/ bytes=\d+-$/),
    ])
    expect(await readFile(path.join(directory, 'model.safetensors'))).toEqual(WEIGHTS)
  })

  test('goes on where an earlier run was stopped', async () => {
    const stop = new AbortController()
    hub.faults.cutAfter = 120_000
    const stopped = fetchModel(NAME, {
      report: (event) => event.event === 'file' && event.file === 'model.safetensors' && stop.abort(),
      settings: hub.settings(cache),
      signal: stop.signal,
    })
    expect((await refusalOf(stopped)).error.exit).toBe(EXIT.interrupted)
    const [partial] = (await namesIn(cache)).filter((name) => name.endsWith('.incomplete'))
    const {size} = await stat(path.join(cache, partial))
    expect(size).toBeGreaterThan(0)
    hub.faults = {}
    hub.asked.length = 0
    await fetchIt()
    expect(filesAsked()).toEqual([`GET /cdn/model.safetensors bytes=${size}-`])
    expect((await namesIn(cache)).filter((name) => name.endsWith('.incomplete'))).toEqual([])
  })

  test('is fetched anew from a server that does not know ranges', async () => {
    const [, blob] = [await fetchIt(), (await namesIn(cache)).find((name) => /blobs\/[\da-f]{64}$/.test(name)) ?? '']
    await rm(path.join(cache, blob))
    await writeFile(path.join(cache, `${blob}.incomplete`), 'something else')
    hub.faults.noRanges = true
    const {directory} = await fetchIt()
    expect(await readFile(path.join(directory, 'model.safetensors'))).toEqual(WEIGHTS)
  })

  test('may be in shards, whose index comes first', async () => {
    hub.files.delete('model.safetensors')
    hub.files.set(
      'model.safetensors.index.json',
      Buffer.from('{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}'),
    )
    hub.files.set('a.safetensors', Buffer.from('a'))
    hub.files.set('b.safetensors', Buffer.alloc(0))
    const {directory} = await fetchIt()
    expect(await namesIn(directory)).toEqual(expect.arrayContaining(['a.safetensors', 'b.safetensors']))
  })

  test.each(['x', 'longer'] as const)('is refused and thrown away where its hash is wrong: %s', async (wrong) => {
    hub.faults = wrong === 'longer' ? {longer: true} : {wrong}
    const text = await textOf(fetchIt())
    expect(text).toContain(wrong === 'longer' ? 'is longer than the' : 'config.json of some/model arrived damaged')
    if (wrong !== 'longer') expect(text).toMatch(/its hash is [\da-f]{40}, expected [\da-f]{40}/)
    expect((await namesIn(cache)).filter((name) => name.includes('refs') || name.includes('snapshots'))).toEqual([])
  })
})

describe('the hub says no', () => {
  test.each([
    [401, null, ['does not show some/model to just anyone (401)', 'set HF_TOKEN']],
    [401, 'hf_x', ['does not show some/model to this token (401)', 'HF_TOKEN is a token that is still valid']],
    [403, 'hf_x', ['You have no access to some/model (403)', '/some/model, with the account']],
    [404, null, ['The hub has no some/model at revision main (404)', 'a branch, a tag or a commit']],
    [429, null, ['The hub answers 429', 'too many requests']],
    [500, null, ['The hub answers 500', 'Try again later']],
  ] as const)('with %i (token %s)', async (status, token, messages) => {
    hub.faults.status = status
    const {error, text} = await refusalOf(fetchIt({token}))
    for (const message of messages) expect(text).toContain(message)
    expect(error.exit).toBe(EXIT.file)
    expect(await namesIn(outer)).toEqual([])
  })

  test('by not being there: the cache is used where it can be, and that is said', async () => {
    const settings = hub.settings(cache, {endpoint: `http://${LOOPBACK}:9`})
    expect(await textOf(fetchModel(NAME, {settings}))).toContain('127.0.0.1:9 cannot be reached')
    const {directory} = await fetchIt()
    const notes: string[] = []
    const report = (event: HubEvent): unknown => event.event === 'note' && notes.push(event.text)
    expect(await fetchModel(NAME, {report, settings})).toMatchObject({directory})
    expect(notes).toEqual([expect.stringContaining('Using what the cache has of some/model.')])
  })

  test('in words that are not understood', async () => {
    hub.files.clear()
    hub.listed = [{oid: '../../../oops', path: 'config.json'}]
    expect(await textOf(fetchIt())).toContain('"config.json" has the hash "../../../oops"')
  })

  test('with a repository that holds no model', async () => {
    hub.files.delete('config.json')
    expect(await textOf(fetchIt())).toContain('some/model is no model that can be read: config.json missing')
  })
})

test('the token goes to the hub, and not on to where it redirects', async () => {
  const cdn = new HubServer()
  await cdn.start()
  try {
    for (const [name, content] of hub.files) cdn.files.set(name, content)
    hub.faults.cdn = cdn.endpoint
    await fetchIt({token: 'hf_secret'})
    expect(new Set(hub.tokens)).toEqual(new Set(['Bearer hf_secret']))
    expect(cdn.asked).toHaveLength(3)
    expect(cdn.tokens).toEqual([undefined, undefined, undefined])
  } finally {
    await cdn.stop()
  }
})

describe('names that lead elsewhere', () => {
  test.each(['../../evil.safetensors', '/evil.safetensors', 'a/../../evil.safetensors', '..\\evil.safetensors'])(
    '%s: ignored in a listing, refused in an index',
    async (evil) => {
      hub.listed = [{path: evil}]
      await fetchIt()
      hub.files.delete('model.safetensors')
      hub.files.set('model.safetensors.index.json', Buffer.from(JSON.stringify({weight_map: {a: evil}})))
      expect(await textOf(fetchIt())).toContain(`the index names ${JSON.stringify(evil)}`)
      expect((await namesIn(outer)).filter((name) => name.includes('evil'))).toEqual([])
    },
  )

  test.each([
    ['state-spaces/mamba-130m-hf', {repository: 'state-spaces/mamba-130m-hf', revision: 'main'}],
    ['a/b@refs/pr/1', {repository: 'a/b', revision: 'refs/pr/1'}],
    ['a/b@v1.0', {repository: 'a/b', revision: 'v1.0'}],
    ['models/../b', null],
    ['../b', null],
    ['./b', null],
    ['/a/b', null],
    ['a/b/c', null],
    ['a/b@../../x', null],
    ['a/b@x..y', null],
    ['a--b/c', null],
    ['mamba', null],
    ['a\\b/c', null],
    ['a/b@', null],
  ])('%s', (text, expected) => expect(parseHubName(text)).toEqual(expected))
})

describe('offline', () => {
  test('what the cache holds is used, and nothing is asked', async () => {
    const {directory} = await fetchIt()
    hub.asked.length = 0
    expect(await fetchIt({offline: true})).toMatchObject({commit: COMMIT, directory})
    expect(hub.asked).toEqual([])
  })

  test('what it does not hold is refused', async () => {
    expect(await textOf(fetchIt({offline: true}))).toContain('is not in the cache, and HF_HUB_OFFLINE is set')
  })
})

describe('a model by path or name', () => {
  test('a directory on this machine goes first, and a misspelt one is not asked for', async () => {
    const options = {settings: hub.settings(cache)}
    for (const place of ['src/model', 'src/modle', 'no/such/place']) {
      expect(await locateModel(place, options)).toEqual({directory: place, fromHub: false, name: place})
    }
    expect(hub.asked).toEqual([])
    const {directory, name} = await locateModel('some/model@main', options)
    expect([path.basename(directory), name]).toEqual([COMMIT, `some/model@${COMMIT}`])
  })

  test('a plan needs no weights', async () => {
    const {directory} = await locateModel('some/model', {settings: hub.settings(cache), small: true})
    expect(await namesIn(directory)).toEqual(['config.json', 'tokenizer.json'])
  })

  test('the tokenizer is the given one, the own one, or the usual one for a model of the hub without', async () => {
    const notes: string[] = []
    const options = {
      report: (event: HubEvent): unknown => event.event === 'note' && notes.push(event.text),
      settings: hub.settings(cache),
    }
    const own = await locateModel('some/model', options)
    expect(await locateTokenizer(own, null, options)).toBe(own.directory)
    expect(await locateTokenizer(own, 'models/tiny-mamba', options)).toBe('models/tiny-mamba')
    expect(await locateTokenizer({directory: cache, fromHub: false, name: cache}, null, options)).toBe(cache)
    expect(notes).toEqual([])
    hub.repository = USUAL_TOKENIZER
    const usual = await locateTokenizer({...own, directory: cache}, null, options)
    expect(await namesIn(usual)).toEqual(['tokenizer.json'])
    expect(notes).toEqual([`some/model@${COMMIT} has no tokenizer; using that of EleutherAI/gpt-neox-20b`])
  })
})

test('the tokenizer can be fetched alone', async () => {
  const {directory} = await fetchTokenizer(NAME, {settings: hub.settings(cache)})
  expect(await namesIn(directory)).toEqual(['tokenizer.json'])
})

test('what the cache holds is listed, and removed', async () => {
  const settings = hub.settings(cache)
  expect(await cachedModels(settings)).toEqual([])
  await fetchIt()
  expect(await cachedModels(settings)).toMatchObject([
    {bytes: WEIGHTS.length + 25, repository: 'some/model', revisions: [{commit: COMMIT, files: 3, names: ['main']}]},
  ])
  expect(await textOf(removeModel({...NAME, repository: 'other/model'}, settings))).toContain('is not in the cache')
  await removeModel(NAME, settings)
  expect(await namesIn(cache)).toEqual([])
})

test('settings come from the variables of Hugging Face', () => {
  const home = '/people/x'
  const defaults = {
    cache: '/people/x/.cache/huggingface/hub',
    endpoint: 'https://huggingface.co',
    offline: false,
    token: null,
  }
  expect(hubSettings({}, home)).toEqual(defaults)
  expect(hubSettings({XDG_CACHE_HOME: '/c'}, home).cache).toBe('/c/huggingface/hub')
  expect(hubSettings({HF_HOME: '~/hf'}, home).cache).toBe('/people/x/hf/hub')
  const all = {
    HF_ENDPOINT: 'http://mirror/',
    HF_HOME: '/h',
    HF_HUB_CACHE: '/models',
    HF_HUB_OFFLINE: '1',
    HF_TOKEN: 'hf_t\n',
  }
  expect(hubSettings(all, home)).toEqual({cache: '/models', endpoint: 'http://mirror', offline: true, token: 'hf_t'})
  expect(() => hubSettings({HF_ENDPOINT: 'mirror'}, home)).toThrow('HF_ENDPOINT is "mirror"')
})
