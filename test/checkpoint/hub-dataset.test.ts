/** Data sets of the hub, fetched from a server on this machine. */
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import {type HubOptions} from '../../src/checkpoint/hub/hub-model.js'
import {parseHubData} from '../../src/checkpoint/hub/hub-dataset.js'
import {type HubSettings} from '../../src/checkpoint/hub/hub-settings.js'
import {type Role} from '../../src/data/find-files.js'
import {locateData, locateFiles} from '../../src/recipe/locate-data.js'
import {parseRecipe} from '../../src/recipe/load.js'
import {COMMIT, HubServer} from './hub-server.js'
import {refusalOf} from './scratch.js'

const ROW = '{"text": "cd"}\n'
let hub: HubServer
let cache: string

beforeEach(async () => {
  hub = new HubServer('some/rows', 'datasets')
  await hub.start()
  cache = await mkdtemp(path.join(tmpdir(), 'mambatune-hub-data-'))
  hub.files.set('README.md', Buffer.from('# Rows'))
  hub.files.set('data/train-00000-of-00002.jsonl', Buffer.from(ROW))
  hub.files.set('data/train-00001-of-00002.jsonl', Buffer.from(ROW + ROW))
  hub.files.set('data/validation.jsonl', Buffer.from(ROW))
  hub.files.set('other/test.jsonl', Buffer.from(ROW))
})

afterEach(async () => {
  await hub.stop()
  await rm(cache, {force: true, recursive: true})
})

const options = (more: Partial<HubSettings> = {}): HubOptions => ({settings: hub.settings(cache, more)})
const snapshot = (): string => path.join(cache, 'datasets--some--rows', 'snapshots', COMMIT)
const names = async (name: string, role: Role, more: Partial<HubSettings> = {}): Promise<string[]> =>
  (await locateFiles([name], role, options(more))).map((file) => path.relative(snapshot(), file))

describe('a data set of the hub', () => {
  test('is fetched as far as it is wanted, into the cache of other programs', async () => {
    expect(await names('hub://some/rows', 'train')).toEqual([
      'data/train-00000-of-00002.jsonl',
      'data/train-00001-of-00002.jsonl',
    ])
    expect(await readFile(path.join(snapshot(), 'data/train-00001-of-00002.jsonl'), 'utf8')).toBe(ROW + ROW)
    expect(hub.asked.filter((line) => line.includes('/cdn/'))).toHaveLength(2)
    expect(await names('hub://some/rows', 'validation')).toEqual(['data/validation.jsonl'])
  })

  test('may be a file of it, or a directory, at a revision', async () => {
    expect(await names('hub://some/rows@main/other/test.jsonl', 'train')).toEqual(['other/test.jsonl'])
    expect(await names('hub://some/rows/data', null)).toHaveLength(3)
    expect((await refusalOf(names('hub://some/rows/nothing', null))).text).toContain('nothing of some/rows')
  })

  test('is there offline once it was fetched', async () => {
    const fetched = await names('hub://some/rows', 'train')
    hub.asked.length = 0
    expect(await names('hub://some/rows', 'train', {offline: true})).toEqual(fetched)
    expect(hub.asked).toEqual([])
    expect((await refusalOf(names('hub://some/rest', null, {offline: true}))).text).toContain('HF_HUB_OFFLINE')
  })

  test('cannot name a file outside of the cache', async () => {
    hub.listed.push({path: '../../outside.jsonl'})
    expect(await names('hub://some/rows', null)).toHaveLength(4)
    hub.listed.push({path: 'c:outside.jsonl'})
    expect((await refusalOf(names('hub://some/rows', null))).text).toContain('which is not used')
  })

  test.each(['hub://rows', 'hub://some/rows/../x.jsonl', 'hub://some/ro ws', 'hub:///'])('%s is no name', (name) => {
    expect(() => parseHubData(name)).toThrow('is no name of data on the hub')
  })

  test('stands in a recipe beside files of this machine', async () => {
    const data = '{train: ["hub://some/rows", here.jsonl], validation: "hub://some/rows"}'
    const adapters = '[{method: initial-state}]'
    const recipe = parseRecipe(`version: 1\nmodel: {base: m}\nadapters: ${adapters}\ndata: ${data}\n`, 'r.yaml')
    const place = await locateData(recipe, 'store', options())
    expect([...place.files.keys()]).toEqual(['hub://some/rows'])
    const files = place.files.get('hub://some/rows')
    expect([files?.train.length, files?.validation.length]).toEqual([2, 1])
  })
})
