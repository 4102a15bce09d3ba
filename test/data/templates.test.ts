/** Masks are right for any template, or the row is refused; and a template cannot hang or see what it should not. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'

import {type DataSettings, type Dataset} from '../../src/data/dataset.js'
import {pairMessages} from '../../src/data/messages.js'
import {readDataset} from '../../src/data/rows.js'
import {ChatTemplate, inBoundedTime} from '../../src/data/template.js'
import {type Tokenizer} from '../../src/data/tokenizer.js'
import {marked} from './marked.js'

/** A token for each character, but one for <s> and one for </s>. */
const characters: Tokenizer = {
  chat: {bosToken: '<s>', eosToken: '</s>', template: null},
  decode: (ids) => ids.map((id) => (id === 1 ? '<s>' : id === 2 ? '</s>' : String.fromCharCode(id))).join(''),
  encode: (text) =>
    (text.match(/<s>|<\/s>|[^]/g) ?? []).map((piece) => ({'<s>': 1, '</s>': 2})[piece] ?? piece.charCodeAt(0)),
  eosId: 2,
  vocabularySize: 65_536,
}

const settings: DataSettings = {appendEos: true, format: 'auto', lossOn: 'auto', maxLength: 4096}
const chat = {
  messages: [
    {content: 'a?', role: 'user'},
    {content: ' b ', role: 'assistant'},
    {content: 'c?', role: 'user'},
    {content: 'd', role: 'assistant'},
  ],
}
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'mambatune-templates-'))
  await writeFile(path.join(directory, 'rows.jsonl'), JSON.stringify(chat))
})

afterAll(() => rm(directory, {force: true, recursive: true}))

async function withTemplate(source: string, changes: Partial<DataSettings> = {}, own = false): Promise<Dataset> {
  const template = path.join(directory, 'template.jinja')
  await writeFile(template, source)
  const tokenizer = own ? {...characters, chat: {bosToken: '<s>', eosToken: '</s>', template: source}} : characters
  const named = own ? null : template
  return readDataset([path.join(directory, 'rows.jsonl')], tokenizer, {...settings, template: named, ...changes})
}

const maskOf = async (...given: Parameters<typeof withTemplate>): Promise<string> =>
  marked((await withTemplate(...given)).examples[0], characters)

const faultsOf = async (source: string): Promise<string> => {
  const error: unknown = await withTemplate(source).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({code: 'E_DATA'})
  const {faults, hint} = error as {faults: {message: string}[]; hint?: string}
  return [...faults.map(({message}) => message), hint].join('\n')
}

const TURNS = `{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{{ '</s>' if m.role == 'assistant' }}
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`

describe('masks', () => {
  test('follow a template that is no plain joining of contents', async () => {
    expect(await maskOf(`{{ bos_token }}${TURNS}`)).toBe(
      '<s>[user]a?\n[assistant]⟦b</s>\n⟧[user]c?\n[assistant]⟦d</s>\n⟧',
    )
  })

  test('a template without a generation prompt trains its heading too', async () => {
    const mask = await maskOf(`{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{% endfor %}`)
    expect(mask).toBe('[u]a?⟦[a] b ⟧[u]c?⟦[a]d</s>⟧')
  })

  test("the tokenizer's own template goes before the built-in ones", async () => {
    expect(await maskOf(TURNS, {}, true)).toContain('[user]a?\n[assistant]⟦b</s>')
    expect((await withTemplate(TURNS, {}, true)).notes.join('\n')).toContain("it is the tokenizer's own")
  })

  test('a template that changes earlier turns is refused, and all can still be trained', async () => {
    const dropping = `{% for m in messages %}{% if m.role == 'user' or loop.last %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`
    const faults = await faultsOf(dropping)
    expect(faults).toMatch(/the beginning of message 2 in the text of template .* cannot be told/)
    expect(faults).toContain('data.loss_on: last or all')
    expect(await maskOf(dropping, {lossOn: 'all'})).toBe('⟦[user]a?[user]c?[assistant]d</s>⟧')
    expect(await maskOf(dropping, {lossOn: 'last'})).toBe('[user]a?[user]c?[assistant]⟦d</s>⟧')
  })

  test('a beginning-of-sequence token that template and tokenizer both write is there once', async () => {
    const doubling = {...characters, encode: (text: string) => [1, ...characters.encode(text)]}
    await writeFile(path.join(directory, 't.jinja'), `{{ bos_token }}${TURNS}`)
    const {examples} = await readDataset([path.join(directory, 'rows.jsonl')], doubling, {
      ...settings,
      template: path.join(directory, 't.jinja'),
    })
    expect([...examples[0].ids].filter((id) => id === 1)).toHaveLength(1)
    expect(marked(examples[0], characters)).toContain('[assistant]⟦b</s>\n⟧[user]')
  })
})

describe('templates are programs of strangers', () => {
  const context = {bosToken: '', eosToken: ''}
  const rendered = (source: string): string =>
    new ChatTemplate('t', source, context).render(pairMessages('a', 'b'), {}, false)

  test('one that does not end is broken off', () => {
    const endless = `{% for a in range(99999) %}{% for b in range(99999) %}{% set c = b %}{% endfor %}{% endfor %}`
    expect(() => inBoundedTime(() => rendered(endless), 200)).toThrow('takes more than 200 ms')
  })

  test('they cannot fill the memory with a range', () => {
    expect(() => rendered('{% for a in range(1000000000) %}{% endfor %}')).toThrow('expected at most 100000')
    expect(rendered('{{ range(5, 0, -2) | join(",") }}')).toBe('5,3,1')
  })

  test('they reach no JavaScript, and are not told the date', () => {
    expect(() => rendered(`{{ messages.constructor.constructor('return process')() }}`)).toThrow('refuses it')
    expect(() => rendered('{{ ({}).__proto__.x() }}')).toThrow()
    expect(rendered('{{ strftime_now is defined }}')).toBe('false')
  })

  test('what they raise is a fault of the row', async () => {
    expect(await faultsOf(`{{ raise_exception('roles must alternate') }}`)).toContain('roles must alternate')
  })

  test('what is no Jinja is refused, and so is a name that is nothing', async () => {
    await expect(withTemplate('{% for %}')).rejects.toMatchObject({code: 'E_DATA'})
    await expect(withTemplate(TURNS, {template: 'alpacca'})).rejects.toMatchObject({code: 'E_FILE'})
    await expect(withTemplate(TURNS, {template: 'tokenizer'})).rejects.toThrow('has no chat template')
  })
})
