import {afterAll, beforeAll, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {writeFile} from 'node:fs/promises'
import {plainTemplate} from '../../src/data/conversation-template.js'
import {RandomStream} from '../../src/data/random.js'
import {loadTokenizer, type Tokenizer} from '../../src/data/tokenizer.js'
import {decode} from '../../src/model/decoding.js'
import {penalised} from '../../src/model/repetition.js'
import {Conversation, type SayOptions} from '../../src/peft/chat/conversation.js'
import {readConversation, saveConversation} from '../../src/peft/chat/conversation-file.js'
import {loadSpeakers, type Speakers} from '../../src/peft/chat/speakers.js'
import {Voice} from '../../src/peft/chat/voice.js'
import {useBackend} from '../support/device.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = 'models/tiny-mamba'
const END = '<|endoftext|>'
const inWork = workDirectory()

let tokenizer: Tokenizer
let speakers: Speakers
let tensors: number

beforeAll(async () => {
  await useBackend('wasm')
  tokenizer = await loadTokenizer(MODEL)
  await writeRandomAdapter(inWork('adapter'), {model: MODEL, settings: [lora({targets: ['out_proj']})]})
  tensors = tf.memory().numTensors
  speakers = await loadSpeakers({adapters: [inWork('adapter')], anyBase: false, model: MODEL})
  // What is derived from frozen weights is kept from its first use on.
  for (const speaker of [0, 1]) await begin(speaker).say('The ship', OPTIONS, WAIT)
})

afterAll(() => {
  speakers.dispose()
  expect(tf.memory().numTensors).toBe(tensors)
})

const OPTIONS: SayOptions = {
  maxNewTokens: 6,
  seed: 1,
  signal: new AbortController().signal,
  stop: [],
  temperature: 0,
  topK: null,
  topP: 1,
}

const WAIT = {begins() {}, ends() {}, says() {}}

function begin(...which: number[]): Conversation {
  const voices = which.map((index) => new Voice(speakers.model, tokenizer, speakers.all[index]))
  return new Conversation(voices, plainTemplate(END))
}

async function say(talk: Conversation, text: string, options: Partial<SayOptions> = {}): Promise<string[]> {
  const before = tf.memory().numTensors
  const {answers} = await talk.say(text, {...OPTIONS, ...options}, WAIT)
  expect(tf.memory().numTensors).toBe(before) // states between turns are on the host
  return answers.map((answer) => answer.text)
}

/** What a speaker answers when everything that it has read is read at once: without carried states. */
async function readAtOnce(talk: Conversation, speaker: number, made: readonly number[]): Promise<number[]> {
  const {ids} = talk.voices[0].mark
  const random = new RandomStream(0)
  const decoding = {eosId: tokenizer.eosId, maxNewTokens: made.length, temperature: 0, topK: null, topP: 1}
  const all: number[] = []
  const before = ids.slice(0, ids.length - made.length)
  for await (const id of decode(speakers.model, speakers.all[speaker].sites, before, decoding, random)) all.push(id)
  return all
}

/** Turns of one voice, each with the ids of its answer. */
async function idsOf(talk: Conversation, text: string): Promise<readonly number[]> {
  let made: readonly number[] = []
  await talk.say(text, OPTIONS, {...WAIT, ends: (_, {ids}) => void (made = ids)})
  return made
}

test('a later turn is answered as if all that was said before had been read at once', async () => {
  const talk = begin(0)
  for (const [index, turn] of ['The ship ', 'and the anchor', ' went', ' home'].entries()) {
    const made = await idsOf(talk, turn)
    expect(made).toHaveLength(6)
    expect(await readAtOnce(talk, 0, made)).toEqual(made)
    expect(talk.voices[0].mark.text.split('\n').length).toBeGreaterThan(index)
  }
  const {ids, text} = talk.voices[0].mark
  expect(tokenizer.decode(ids)).toBe(text)
})

test('undo takes back what was read; far back it is read again', async () => {
  const talk = begin(1)
  const varied = {repetitionPenalty: 1.3}
  const answers: string[][] = []
  const turns = Array.from({length: 11}, (_, index) => ` number ${index},`)
  for (const turn of turns) answers.push(await say(talk, turn, varied))
  expect(new Set(answers.flat()).size).toBeGreaterThan(3) // or nothing could be told apart
  for (let index = turns.length - 1; index >= 0; index--) {
    expect(talk.undo()?.user).toBe(turns[index])
    if (index % 5 === 0) {
      expect(await say(talk, turns[index], varied)).toEqual(answers[index])
      talk.undo()
    }
  }
  expect(talk.undo()).toBeUndefined()
})

test('another attempt samples another text, and the same one the same', async () => {
  const sampling = {maxNewTokens: 12, temperature: 1}
  const talk = begin(0)
  const first = await say(talk, 'The ship', sampling)
  talk.undo()
  const second = await say(talk, 'The ship', sampling)
  expect(second).not.toEqual(first)
  expect(await say(begin(0), 'The ship', sampling)).toEqual(first)
})

test('two voices keep apart what they have said', async () => {
  const talk = begin(1, 0)
  const alone = [begin(1), begin(0)]
  for (const turn of ['The ship ', 'and the anchor']) {
    const both = await say(talk, turn)
    expect(both[0]).not.toBe(both[1])
    expect(both).toEqual([...(await say(alone[0], turn)), ...(await say(alone[1], turn))])
  }
})

test('another adapter reads the conversation again', async () => {
  const talk = begin(0)
  await idsOf(talk, 'The ship ')
  talk.voices[0].speakAs(speakers.all[1])
  const made = await idsOf(talk, 'and the anchor')
  expect(await readAtOnce(talk, 1, made)).toEqual(made)
  expect(await readAtOnce(talk, 0, made)).not.toEqual(made)
})

test('a stopped answer is kept as far as it came, and read on from', async () => {
  const controller = new AbortController()
  const talk = begin(1, 0)
  let pieces = 0
  const stopAtThird = {...WAIT, says: () => void (++pieces === 3 && controller.abort())}
  const turn = await talk.say('The ship ', {...OPTIONS, signal: controller.signal}, stopAtThird)
  expect(turn.answers.map(({end}) => end)).toEqual(['interrupted', 'interrupted'])
  expect(turn.answers[0].text).not.toBe('')
  expect(turn.answers[1].text).toBe('')
  let made: readonly number[] = []
  await talk.say('and the anchor', OPTIONS, {
    ...WAIT,
    ends: (voice, {ids}) => void (voice === talk.voices[0] && (made = ids)),
  })
  expect(await readAtOnce(talk, 1, made)).toEqual(made)
  expect(talk.voices[0].mark.text).toContain(`The ship ${turn.answers[0].text}\nand the anchor`)
  expect(talk.voices[1].mark.text).toContain('The ship \nand the anchor')
})

test('a fault of the second voice leaves the conversation as it was', async () => {
  const talk = begin(1, 0)
  await say(talk, 'The ship ')
  const failing = {
    ...WAIT,
    begins: (voice: Voice) => {
      if (voice === talk.voices[1]) throw new Error('no more')
    },
  }
  await expect(talk.say('and', OPTIONS, failing)).rejects.toThrow('no more')
  expect(talk.turns).toHaveLength(1)
  const other = begin(1, 0)
  await say(other, 'The ship ')
  expect(await say(talk, 'and the anchor')).toEqual(await say(other, 'and the anchor'))
})

test('saved and read again it goes on alike, and the state takes the same room', async () => {
  const file = inWork('talk.safetensors')
  const talk = begin(1, 0)
  const sizes: number[] = []
  for (const turn of ['The ship ', 'and the anchor', ' went home. '.repeat(30)]) {
    await say(talk, turn)
    const voices = talk.voices.map(({digest, mark, name}) => ({digest, name, ...mark}))
    const {attempts, system, turns} = talk
    await saveConversation(file, {attempts, model: speakers.fingerprint, system, template: 'plain', turns, voices})
    const {voices: read} = await readConversation(file)
    expect(read).toEqual(voices)
    sizes.push(
      read
        .flatMap(({state}) => state ?? [])
        .reduce((sum, {scan, window}) => sum + scan.values.length + window.values.length, 0),
    )
  }
  expect(new Set(sizes).size).toBe(1)
  const saved = await readConversation(file)
  const again = begin(1, 0)
  again.restore(saved, saved.voices)
  expect(await say(again, 'At last', {temperature: 1})).toEqual(await say(talk, 'At last', {temperature: 1}))
})

test('what is no conversation is refused, and not written over', async () => {
  await writeFile(inWork('notes.txt'), 'mine')
  const nothing = {attempts: 0, model: '', system: null, template: 'plain' as const, turns: [], voices: []}
  await expect(saveConversation(inWork('notes.txt'), nothing)).rejects.toThrow('is no conversation')
  await expect(readConversation(`${MODEL}/model.safetensors`)).rejects.toThrow('of another kind')
})

test('a penalty makes what was there before less probable, whatever its sign', () => {
  expect([...penalised(Float32Array.of(2, -2, 2, -2), new Set([0, 1]), 2)]).toEqual([1, -4, 2, -2])
})
