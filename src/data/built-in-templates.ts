/**
 * Templates for models that bring none. They are written in ordinary text: a base model has no tokens for turns, and new tokens would
 * need trained embeddings. Every turn of the assistant ends in the end-of-sequence token, so that the model learns to stop there; what
 * lies between two turns belongs to the later one.
 */

const CHATML = `{%- for message in messages -%}
{{- ('' if loop.first else '\\n') + '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' -}}
{{- eos_token if message.role == 'assistant' else '' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- ('\\n' if messages else '') + '<|im_start|>assistant\\n' -}}{%- endif -%}`

/** The text of Alpaca's authors: one line before the first question, a heading for each part. */
const ALPACA = `{%- set said = namespace(opening=false) -%}
{%- for message in messages -%}
{{- '' if loop.first else '\\n\\n' -}}
{%- if message.role == 'system' -%}
{{- message.content -}}{%- set said.opening = true -%}
{%- elif message.role == 'assistant' -%}
{{- '### Response:\\n' + message.content + eos_token -}}
{%- else -%}
{%- if not said.opening -%}
{{- 'Below is an instruction that describes a task' -}}
{{- ', paired with an input that provides further context' if '\\n\\n### Input:\\n' in message.content else '' -}}
{{- '. Write a response that appropriately completes the request.\\n\\n' -}}{%- set said.opening = true -%}
{%- endif -%}
{{- '### Instruction:\\n' + message.content -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- ('\\n\\n' if messages else '') + '### Response:\\n' -}}{%- endif -%}`

/** Names and colons, as in a play. The space after the colon belongs to the answer, as tokens of words begin with theirs. */
const PLAIN = `{%- for message in messages -%}
{{- '' if loop.first else '\\n\\n' -}}
{{- ('' if message.role == 'system' else (message.role | capitalize) + ': ') + message.content -}}
{{- eos_token if message.role == 'assistant' else '' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- ('\\n\\n' if messages else '') + 'Assistant:' -}}{%- endif -%}`

export const BUILT_IN_TEMPLATES: Readonly<Record<string, string>> = {chatml: CHATML, alpaca: ALPACA, plain: PLAIN}
