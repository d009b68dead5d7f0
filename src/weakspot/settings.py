"""The tables of ``weakspot.toml``: each setting with its default, its bounds and its description."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from weakspot.records import Policy, Target, parse_domain_name
from weakspot.vocabulary import LANGUAGES

_RANK_OF_EXPERTS = 16
_VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"


class Table(BaseModel):
    """One table of ``weakspot.toml``; unknown keys and wrong types are refused.

    The default of a ``derived`` key depends on other keys, so a new file has it in a comment.
    """

    derived: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Sharing(Table):
    """Files of the workspace: they are for their owner only, and are no links to elsewhere."""

    group_readable: bool = Field(False, description="the owner's group may read them, too")
    allow_links: list[str] = Field([], description="files and folders of the root that may be links, such as adapters")


class Model(Table):
    """The local model that the adapters patch."""

    base: str = Field(
        "Qwen/Qwen2.5-7B-Instruct",
        min_length=1,
        description="a hub id, a local folder, or smollm2-135m, the small model that the demo runs on",
    )
    revision: str = Field("main", description="the revision of a hub id")
    thinking: Literal["on", "off", "default"] = Field(
        "off", description="whether it thinks before it answers, where a client does not say; default: its own default"
    )


def _parse_trigger(text: str) -> str:
    if text.startswith("re:"):
        try:
            re.compile(text[3:])
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"not a regular expression ({error})") from None
    return text


Triggers = list[Annotated[str, Field(pattern=r"\S"), AfterValidator(_parse_trigger)]]


class Domain(Table):
    """A kind of question; its triggers are words or phrases, in upper or lower case and in any inflection."""

    triggers: Triggers
    hints: Triggers = Field([], description="words that count only beside a trigger or another hint")
    except_: Triggers = Field([], alias="except", description="phrases in which a trigger does not count")


class Collect(Table):
    """Capture of interactions."""

    default_domain: Annotated[str, AfterValidator(parse_domain_name)] = Field(
        "general-coding", description="the domain if no trigger is found"
    )
    query_weight: int = Field(3, ge=1, description="how much more a trigger in the query counts than one in an answer")
    escalation: str = Field("consult Sonnet", min_length=1, description="the escalation turn stored if none is given")
    max_record_bytes: int = Field(4_000_000, ge=1000, description="a longer record is refused")
    durability: Literal["disk", "process"] = Field(
        "disk", description="disk: a stored record survives a power cut; process: it survives a killed process"
    )
    allow_network_filesystem: bool = Field(
        False, description="store on NFS or SMB too, although locks and appends may fail silently there"
    )


Words = list[Annotated[str, Field(pattern=r"\S")]]


class Language(Table):
    """The words of a language with which people ask for a teacher; every key is a list of words or groups of words."""

    phrases: Words = Field([], description="more phrases; {this} is one of `this`, and a/b is a or b")
    expert: Words = Field([], description="what the default teacher is called, without an article")
    articles: Words = Field([], description="words before `expert`")
    before: Words = Field([], description="words before a phrase that change nothing: please, can you, yes")
    after: Words = Field([], description="words after it that change nothing: please, again, instead")
    fillers: Words = Field([], description="words inside it that change nothing")
    about: Words = Field([], description="words between a phrase and one of `this`")
    this: Words = Field([], description="words for the question before")
    links: Words = Field([], description="words after a phrase with which a remark or a question begins")
    questions: Words = Field([], description="words with which a question begins")
    requests: Words = Field([], description="words with which a task begins")
    ordinary: Words = Field(
        [], description="a teacher named so is meant only by the first phrase with nothing around it"
    )
    back: Words = Field([], description="words that show that a question is the one before")
    conditions: Words = Field([], description="words of the same sentence that make a phrase no wish")
    withdrawals: Words = Field([], description="words behind a phrase that take it back")
    quoting: Words = Field([], description="words before a colon after which a phrase is not meant as it stands")
    refusals: Words = Field([], description="words before a name with which a message does not look like a wish")


class Escalation(Table):
    """The phrases with which a user's last message asks for a teacher."""

    phrases: Words = Field(
        ["consult {teacher}", "ask {teacher}"],
        description='{teacher} is a teacher\'s name, or "the expert"; without any, nothing is a wish',
    )
    default_teacher: str = Field("sonnet", min_length=1, description='the teacher meant by "the expert"')
    languages: dict[str, Language] = Field(
        {name: Language(**words) for name, words in LANGUAGES.items()}, description="more words, by language"
    )


def _parse_origin(text: str) -> str:
    scheme, colon, host = text.partition("://")
    if (
        not colon
        or not scheme
        or not host
        or "/" in host
        or ("*" in host and (host != "*" or scheme.startswith("http")))
    ):
        raise ValueError("write an origin as https://chat.example, or vscode-webview://* for all of a program's")
    return text


class Gateway(Table):
    """The proxy in front of the local model."""

    upstream: str = Field(
        "http://localhost:8000/v1", pattern="^https?://", description="the local model's server, OpenAI-compatible"
    )
    alias: str = Field("local", min_length=1, description="the model name under which clients get the released adapter")
    model: str = Field("", description="the base's name at the upstream; empty is the first that it lists")
    listen: str = Field("127.0.0.1:8787", pattern=r"^\S+:\d+$", description="where clients reach the gateway")
    upstream_api_key_env: str = Field(
        "", pattern=_VARIABLE, description="environment variable with the local server's key, if it has one"
    )
    hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]] = Field(
        [], description="names of this machine by which servers may be called, beside its host name and localhost"
    )
    origins: list[Annotated[str, AfterValidator(_parse_origin)]] = Field(
        [], description="web pages that may call gateway and MCP server: https://chat.example, vscode-webview://*"
    )
    pass_: list[Annotated[str, Field(pattern=r"^[A-Z]+ /\S*$")]] = Field(
        [],
        alias="pass",
        description='more endpoints that clients reach at the local server, as "POST /tokenize" or "GET /v1/files/*"',
    )
    token_env: str = Field(
        "",
        pattern=_VARIABLE,
        description="environment variable with the token that clients of gateway and MCP server must send; "
        "empty: none on loopback, elsewhere one that is made and shown once",
    )
    max_in_flight: int = Field(256, ge=1, description="requests handled at the same time; one more gets a 503")
    max_connections: int = Field(512, ge=1, description="connections of one address at once; one more gets a 503")
    max_text_characters: int = Field(
        4_000_000, ge=1000, description="longest text of a request, near the longest prompt of any model"
    )
    max_body_bytes: int = Field(67_108_864, ge=1000, description="largest request; a longer one gets a 413")
    connect_timeout_seconds: float = Field(10, gt=0, description="time for the local server to accept a connection")
    ask_missing_attempt: bool = Field(
        True, description="ask the local model too, if a client consults before the local model has answered"
    )
    notices: bool = Field(
        True, description="say behind an expert's answer, once a conversation, that its record cannot be trained on"
    )
    remembered_bytes: int = Field(
        33_554_432,
        ge=0,
        description="memory for local answers, and as much for whole responses of /v1/responses, for clients that do "
        "not send them back",
    )


class Retrieval(Table):
    """Past expert answers to similar questions, shown to the local model before the question."""

    enabled: bool = Field(False, description="show them in the gateway")
    examples: int = Field(3, ge=1, description="the most that are shown")
    min_similarity: float = Field(
        0.06, ge=0, le=1, description="of two questions: the share of character n-grams that both have"
    )
    max_characters: int = Field(
        4000, ge=1, description="of all questions and answers shown together; the rest is left out"
    )


class Teacher(Table):
    """A stronger model that can be consulted."""

    kind: Literal["anthropic", "openai"] = Field(description="the protocol it speaks")
    model: str = Field(min_length=1, description="its name at the provider")
    base_url: str = Field("", description="address of its API; empty is the provider's own")
    api_key_env: str = Field(
        "", pattern=_VARIABLE, description="the environment variable that holds its key; empty where it needs none"
    )
    policy: Policy = Field("ask", description="training on its answers: allow, ask (a person allows each) or refuse")
    terms: str = Field("", description="the licence or the terms behind the policy")
    names: list[Annotated[str, Field(pattern=r"\S")]] = Field([], description="other names that people use for it")
    max_tokens: int = Field(16_000, ge=1, description="of an answer, if the client sets no limit")
    timeout_seconds: float = Field(600, gt=0, description="longest wait for an answer")
    input_price: float | None = Field(None, ge=0, description="US dollars for a million input tokens")
    output_price: float | None = Field(None, ge=0, description="US dollars for a million output tokens")
    budget_usd_per_day: float = Field(
        5.0, ge=0, description="US dollars in any 24 hours, over which it is not asked; for a teacher with a price"
    )
    consultations_per_hour: int = Field(
        60, ge=0, description="consultations in any hour; a teacher without a price is only limited where this is set"
    )


class Process(Table):
    """Making a dataset from raw interactions."""

    near_duplicate_threshold: float = Field(
        0.8,
        ge=0.5,
        le=1.0,
        description="Jaccard similarity of query and expert answer from which two examples are in one group",
    )


class Validate(Table):
    """Limits below which `validate` warns."""

    low_examples: int = Field(200, ge=1, description="a domain with fewer examples is LOW")


class Train(Table):
    """Training of an adapter."""

    learning_rate: float = Field(
        1e-4, gt=0, description="peak of a cosine schedule; small models and short runs want up to 1e-3"
    )
    epochs: int = Field(3, ge=1, description="passes over the training examples")
    max_steps: int = Field(0, ge=0, description="exact number of optimiser steps, instead of epochs; 0 is no limit")
    objective: Literal["sft", "dpo", "orpo"] = Field(
        "sft", description="sft: learn the expert's answer; dpo, orpo: also prefer it to the local answer"
    )
    beta: float = Field(0.1, gt=0, description="dpo and orpo: weight of the preference")
    sft_weight: float = Field(1.0, ge=0, description="dpo: weight of the expert's answer itself (sft)")
    length_guard: float = Field(
        1.0, ge=0, le=1, description="dpo: how much tokens past the end of the shorter answer are ignored; 1 is fully"
    )
    batch_size: int = Field(4, ge=1, description="examples in one optimiser step, times gradient_accumulation")
    gradient_accumulation: int = Field(2, ge=1, description="multiplies batch_size")
    micro_batch_tokens: int = Field(
        0, ge=0, description="tokens in one forward pass, of all adapters together; 0: the memory plan decides"
    )
    max_length: int = Field(
        2048, ge=16, description="tokens; a longer example loses its oldest turns, then the end of its answer"
    )
    no_thoughts: Literal["leave-out", "answer-at-once"] = Field(
        "leave-out", description="what becomes of an example without thoughts, where the model thinks before it answers"
    )
    warmup_ratio: float = Field(0.1, ge=0, le=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients with a larger norm are scaled down to it")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto: bf16 on Ampere or newer, else fp32")
    load_in_4bit: bool = Field(False, description="QLoRA: the base in NF4; needs bitsandbytes")
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="recompute activations: a quarter slower, half the memory; auto: in as many layers as needed",
    )
    eval_steps: int = Field(0, ge=0, description="measure the val loss every so many steps; 0 is ten times a run")
    early_stopping_patience: int = Field(
        3, ge=0, description="stop after this many val losses without a better one; 0 is never"
    )
    save_steps: int = Field(0, ge=0, description="write a checkpoint every so many steps; 0 is with each val loss")
    shard: bool = Field(False, description="shard the base over the processes of torchrun, if it is too large for one")
    seed: int = Field(42, ge=0, description="for the initial weights, the order of examples and the dropout")


class Lora(Table):
    """The shape of an adapter."""

    derived = ("rank", "alpha")

    rank: int = Field(
        64,
        ge=1,
        description="of the two small matrices added to each layer; for experts, rank and alpha default to 16",
    )
    alpha: int = Field(64, ge=1, description="their product is scaled by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="share of an adapter's inputs that is dropped in training")
    target_modules: list[str] | Literal["attention", "all-linear", "experts"] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj"],
        description="names of linear layers, or attention, all-linear, or experts (all-linear and routed experts)",
    )

    @model_validator(mode="before")
    @classmethod
    def _choose_rank_for_experts(cls, given: Any) -> Any:
        """Set rank and alpha of routed experts to 16, since a server reserves memory for each of hundreds of them."""
        targets = given.get("target_modules") if isinstance(given, dict) else None
        experts = targets == "experts" or (isinstance(targets, list) and "experts" in targets)
        return (
            {"rank": _RANK_OF_EXPERTS, "alpha": _RANK_OF_EXPERTS, **given} if experts and "rank" not in given else given
        )


class Sweep(Table):
    """Values that `train --sweep` tries in addition to those of [train] and [lora], in the same pass."""

    learning_rates: list[Annotated[float, Field(gt=0)]] = Field([1e-4, 3e-4, 1e-3], description="peaks of the schedule")
    ranks: list[Annotated[int, Field(ge=1)]] = Field([], description="of the adapter; alpha changes in proportion")


class Evaluate(Table):
    """Evaluation of an adapter, and the gate's verdict."""

    significance: float = Field(0.05, gt=0, lt=0.5, description="the largest p that counts as evidence, two-sided")
    max_harm: float = Field(
        0.1, ge=0, description="nats per token that other domains may lose before it counts as harm"
    )
    batch_size: int = Field(32, ge=1, description="answers generated at once; more are faster and need more memory")
    max_new_tokens: int = Field(
        256, ge=1, description="limit of a generated answer; one is generated if the expert's answer is JSON"
    )
    retrieval: bool = Field(True, description="also measure base and adapter with retrieved examples")


Quantisation = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]


class Deploy(Table):
    """Deployment of an adapter."""

    proof_prompts: int = Field(
        12, ge=1, description="held-out prompts on which the served and the trained model must agree"
    )
    target: Target = Field("merged", description="where run and watch deploy an accepted adapter")
    quantisation: Quantisation = Field("q8_0", description="of the weights in a GGUF file")
    server: str = Field(
        "", pattern="^(https?://.*)?$", description="of target vllm, ollama or gateway; empty is [gateway] upstream"
    )


class Status(Table):
    """Conditions under which retraining is due."""

    retrain_after: int = Field(50, ge=1, description="new interactions in a domain since its last adapter")
    retrain_streak: int = Field(20, ge=2, description="latest consultations in a row, all in one domain")
    retrain_at: int = Field(200, ge=1, description="examples; a domain is due when it reaches this number")


class Watch(Table):
    """Times at which `watch` may train."""

    window: str = Field(
        "",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="hours of the day in which it may train, for example 22:00-06:00 in local time; empty is any",
    )
    idle_minutes: float = Field(10, ge=0, description="time since the last question or capture")
    interval_seconds: float = Field(60, gt=0, description="time between two checks")
    before_training: str = Field(
        "",
        description="command that `watch` and `run` start before they train or evaluate, to free the GPU",
    )
    after_training: str = Field("", description="command that they start afterwards, also after a failure")
    sleep_vllm: bool = Field(False, description="let the local model's vLLM sleep meanwhile: it needs its sleep mode")
