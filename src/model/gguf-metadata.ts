/** What a GGUF file says of a model, in llama.cpp's keys: its sizes, and its tokenizer. */
import {bool, f32, type GgufMetadata, type GgufValue, i32s, text, texts, u32} from '../checkpoint/gguf-metadata.js'
import {type GgufDtype} from '../checkpoint/gguf-dtypes.js'
import {type PlainBpe, type TokenKind} from '../data/plain-bpe.js'
import {type MambaConfig} from './config.js'

/** By what number a file says which format most of its tensors have */
const FILE_TYPES: Readonly<Record<GgufDtype, number>> = {bf16: 32, f16: 1, f32: 0, q8_0: 7}

/** Of the layout of quantized blocks */
const QUANTIZATION_VERSION = 2

/** A state space model has no longest text; llama.cpp wants a number. */
const CONTEXT = 2 ** 20

const TOKEN_TYPES: Readonly<Record<TokenKind, number>> = {added: 4, normal: 1, special: 3, unused: 5}

const ROLE_KEYS = {bos: 'bos', eos: 'eos', pad: 'padding', unk: 'unknown'} as const

export interface GgufModel {
  readonly name: string
  readonly config: MambaConfig
  readonly tokenizer: PlainBpe
  readonly dtype: GgufDtype
}

export function modelMetadata({config, dtype, name, tokenizer}: GgufModel): GgufMetadata {
  return new Map<string, GgufValue>([
    ['general.architecture', text(config.architecture)],
    ['general.type', text('model')],
    ['general.name', text(name)],
    ['general.file_type', u32(FILE_TYPES[dtype])],
    ['general.quantization_version', u32(QUANTIZATION_VERSION)],
    ...sizes(config).map(([key, value]) => [`${config.architecture}.${key}`, value] as const),
    ...vocabulary(tokenizer).map(([key, value]) => [`tokenizer.${key}`, value] as const),
  ])
}

function sizes(config: MambaConfig): [string, GgufValue][] {
  const {convWidth, epsilon, hidden, inner, layers, states, vocabulary: tokens} = config
  return [
    ['context_length', u32(CONTEXT)],
    ['embedding_length', u32(hidden)],
    // There are neither heads of attention nor an MLP, but llama.cpp asks for both.
    ['feed_forward_length', u32(0)],
    ['attention.head_count', u32(0)],
    ['block_count', u32(layers)],
    ['vocab_size', u32(tokens)],
    ['attention.layer_norm_rms_epsilon', f32(epsilon)],
    ['ssm.conv_kernel', u32(convWidth)],
    ['ssm.inner_size', u32(inner)],
    ['ssm.state_size', u32(states)],
    ...(config.architecture === 'mamba2'
      ? ([
          ['ssm.time_step_rank', u32(config.heads)],
          ['ssm.group_count', u32(config.groups)],
        ] as [string, GgufValue][])
      : ([
          ['ssm.time_step_rank', u32(config.timeStepRank)],
          ['ssm.dt_b_c_rms', bool(config.mixerEpsilon !== null)],
        ] as [string, GgufValue][])),
  ]
}

function vocabulary({addBos, addEos, chatTemplate, merges, roles, tokens, words}: PlainBpe): [string, GgufValue][] {
  const ids = Object.entries(ROLE_KEYS).flatMap(([role, key]): [string, GgufValue][] => {
    const id = roles[role as keyof typeof ROLE_KEYS]
    return id === undefined ? [] : [[`ggml.${key}_token_id`, u32(id)]]
  })
  return [
    ['ggml.model', text('gpt2')],
    ['ggml.pre', text(words)],
    ['ggml.tokens', texts(tokens.map(({text: token}) => token))],
    ['ggml.token_type', i32s(tokens.map(({kind}) => TOKEN_TYPES[kind]))],
    ['ggml.merges', texts(merges)],
    ...ids,
    ['ggml.add_bos_token', bool(addBos)],
    ['ggml.add_eos_token', bool(addEos)],
    ...(chatTemplate === null ? [] : [['chat_template', text(chatTemplate)] as [string, GgufValue]]),
  ]
}
