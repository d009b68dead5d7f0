"""Tokenizers of few words made in memory, with the control tokens of a chat template, and small chat templates.

The small templates have the shape of those of models whose own may not be copied: what matters is how they behave.
"""

import re

# As they stand in templates: <|im_end|>, <｜User｜>, <end_of_turn>, [INST].
_CONTROL = re.compile(
    r"<\|[\w/ ]+\|>|<｜[^｜]+｜>|<(?:start_of_turn|end_of_turn|end_of_utterance|turn\||\|turn|channel\||\|channel)>"
    r"|<\|?tool_(?:call|response)\|>|<\|tool_(?:call|response)>|\[/?(?:INST|TOOL_RESULTS|SYSTEM_PROMPT)\]|\[TOOL_CALLS\]"
)
_MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")

MISTRAL = """\
{%- if messages[0].role == "system" %}{%- set system = messages[0].content %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- set ns = namespace(turn=0) %}
{%- for message in loop_messages %}
  {%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
    {%- if (message.role == "user") != (ns.turn % 2 == 0) %}{{- raise_exception("roles must alternate") }}{%- endif %}
    {%- set ns.turn = ns.turn + 1 %}
  {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
  {%- if message.role == "user" and loop.last and system is defined %}
    {{- "[INST]" + system + "\\n\\n" + message.content + "[/INST]" }}
  {%- elif message.role == "user" %}{{- "[INST]" + message.content + "[/INST]" }}
  {%- elif message.tool_calls %}
    {{- "[TOOL_CALLS][" }}
    {%- for call in message.tool_calls %}
      {%- if call.id is not defined or call.id|length != 9 %}{{- raise_exception("ids have 9 characters") }}{%- endif %}
      {{- call.function|tojson ~ ', "id": "' ~ call.id ~ '"' }}{{- ", " if not loop.last else "]" + eos_token }}
    {%- endfor %}
  {%- elif message.role == "assistant" %}{{- message.content + eos_token }}
  {%- elif message.role == "tool" %}
    {{- '[TOOL_RESULTS]{"content": ' ~ message.content|tojson ~ ', "call_id": "' ~ message.tool_call_id ~ '"}' }}
    {{- "[/TOOL_RESULTS]" }}
  {%- endif %}
{%- endfor %}
"""
ZEPHYR = """\
{%- for message in messages %}
{{- "<|" + message.role + "|>\\n" + message.content + eos_token + "\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|assistant|>\\n" }}{%- endif %}
"""
# Calls closed by control tokens of their own, as Kimi K2, Command R7B and DeepSeek V3 have them.
SECTIONS = """\
{%- for message in messages %}
  {{- "<|im_" + message.role + "|>" + message.content }}
  {%- if message.tool_calls %}
    {{- "<|calls_begin|>" }}
    {%- for call in message.tool_calls %}
      {{- call.function.name + ":" }}
      {{- call.function.arguments if call.function.arguments is string else call.function.arguments|tojson }}
      {{- "<|call_end|>" }}
    {%- endfor %}
    {{- "<|calls_end|>" }}
  {%- endif %}
  {{- "<|im_end|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_assistant|>" }}{%- endif %}
{#- <|im_system|><|im_user|><|im_tool|> #}
"""
# Arguments as text, and thoughts that the prompt closes, as DeepSeek V3.1 has them.
ARGUMENTS_AS_TEXT = """\
{%- for message in messages %}
  {%- if message.role == "system" %}{{- message.content }}
  {%- elif message.role == "user" %}{{- "<｜User｜>" + message.content }}
  {%- elif message.role == "tool" %}{{- "<｜tool▁output▁begin｜>" + message.content + "<｜tool▁output▁end｜>" }}
  {%- else %}
    {{- "<｜Assistant｜></think>" + message.content }}
    {%- for call in message.tool_calls or [] %}
      {{- "<｜tool▁call▁begin｜>" + call.function.name + "<｜tool▁sep｜>" + call.function.arguments }}
      {{- "<｜tool▁call▁end｜>" }}
    {%- endfor %}
    {{- eos_token }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<｜Assistant｜>" + ("<think>" if thinking else "</think>") }}{%- endif %}
"""
# Thoughts that the prompt opens, whatever it is told, as QwQ has them.
ALWAYS_THINKS = """\
{%- for message in messages %}
  {%- set text = message.content.split("</think>")[-1] if message.role == "assistant" else message.content %}
  {{- "<|im_start|>" + message.role + "\\n" + text + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\\n<think>\\n" }}{%- endif %}
"""
# The date in front, as Granite 3.3 and Mistral Small 3 have it.
DATED = """\
{%- set today = strftime_now("%B %d, %Y") %}
{{- "<|system|>Today's Date: " + today + ".\\n<|end|>" }}
{%- for message in messages %}
{{- "<|" + message.role + "|>" + message.content + "<|end|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|assistant|>" }}{%- endif %}
{#- <|user|><|tool|> #}
"""


def make(template, eos="<|im_end|>", bos="<bos>", pad=None, sentencepiece=False):
    """Make a tokenizer of bytes, or of characters with SentencePiece's leading space, with a template's controls."""
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if sentencepiece:
        words = ["<unk>", "▁", *map(chr, range(33, 127)), *(f"<0x{number:02X}>" for number in range(256))]
        inner = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, [], byte_fallback=True))
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        inner.decoder = decoders.Sequence(steps)
    else:
        inner = Tokenizer(models.BPE({word: n for n, word in enumerate(alphabet)}, []))
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
    control = dict.fromkeys(filter(None, (eos, bos, pad, *(one[0] for one in _CONTROL.finditer(template)))))
    inner.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in control])
    inner.add_tokens([AddedToken(one, special=False, normalized=False) for one in _MARKS if one not in control])
    found = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=eos, bos_token=bos, pad_token=pad)
    found.chat_template = template
    return found
