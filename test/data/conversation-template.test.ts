import {describe, expect, test} from '@jest/globals'
import {cp, writeFile} from 'node:fs/promises'
import {BUILT_IN_TEMPLATES} from '../../src/data/built-in-templates.js'
import {type ConversationTemplate, plainTemplate, templateOfTurns} from '../../src/data/conversation-template.js'
import {ChatTemplate} from '../../src/data/template.js'
import {loadTokenizer} from '../../src/data/tokenizer.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

/** The template of ChatML, as models of that family have it. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

const TURNS = [{answer: 'Aye.', isWhole: true, user: 'Ahoy!'}]

async function tokenizerWith(name: string, config: Record<string, unknown>, jinja?: string): Promise<string> {
  const directory = inWork(name)
  await cp('models/tiny-mamba/tokenizer.json', `${directory}/tokenizer.json`)
  await writeFile(`${directory}/tokenizer_config.json`, JSON.stringify({eos_token: '<|endoftext|>', ...config}))
  if (jinja !== undefined) await writeFile(`${directory}/chat_template.jinja`, jinja)
  return directory
}

async function readChatTemplate(directory: string): Promise<ConversationTemplate | null> {
  const {chat} = await loadTokenizer(directory)
  return chat?.template ? templateOfTurns(new ChatTemplate('of the tokenizer', chat.template, chat)) : null
}

describe('the chat template', () => {
  test('makes the text that transformers makes of the messages', async () => {
    const template = await readChatTemplate(await tokenizerWith('chatml', {chat_template: CHATML}))
    expect(template?.prompt('Be brief.', TURNS, 'Where to?')).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAhoy!<|im_end|>\n<|im_start|>assistant\nAye.<|im_end|>\n<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>assistant\n',
    )
    expect(template?.endOfAnswer).toBe('<|im_end|>')
  })

  test('may be one of several, or a file beside the tokenizer, which comes first', async () => {
    const named = [
      {name: 'tools', template: 'no'},
      {name: 'default', template: '{{ messages[0].content }}{{ eos_token }}'},
    ]
    const several = await readChatTemplate(await tokenizerWith('several', {chat_template: named}))
    expect(several?.prompt(null, [], 'Ahoy!')).toBe('Ahoy!<|endoftext|>')
    const file = await readChatTemplate(await tokenizerWith('file', {chat_template: 'no'}, '{{ messages[0].role }}'))
    expect(file?.prompt(null, [], 'Ahoy!')).toBe('user')
  })

  test('may be absent', async () => {
    expect(await readChatTemplate('models/tiny-mamba')).toBeNull()
  })

  test('may refuse a message, and says why', async () => {
    const picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}ok"
    const template = await readChatTemplate(await tokenizerWith('picky', {chat_template: picky}))
    expect(template?.prompt(null, [], 'Ahoy!')).toBe('ok')
    expect(() => template?.prompt('Be brief.', [], 'Ahoy!')).toThrow('no system here')
  })
})

test('without one, what is typed is continued, with the end token where the model wrote it', () => {
  const turns = [...TURNS, {answer: ' and', isWhole: false, user: 'Rope'}]
  expect(plainTemplate('<END>').prompt('Ships.', turns, 'Go')).toBe('Ships.\nAhoy!Aye.<END>Rope and\nGo')
})

test.each([
  ['chatml', '<|im_end|>'],
  ['alpaca', null],
  ['plain', null],
])('%s, which models are trained with, ends answers with %j or the end token', (name, end) => {
  const template = templateOfTurns(new ChatTemplate(name, BUILT_IN_TEMPLATES[name], {bosToken: '', eosToken: '<END>'}))
  expect(template.endOfAnswer).toBe(end)
  const text = template.prompt(null, TURNS, 'Where to?')
  expect(text).toContain(`Aye.${end ?? ''}<END>`)
  expect(text.slice(text.indexOf('Where to?'))).toMatch(/assistant|Response|Assistant/)
})
