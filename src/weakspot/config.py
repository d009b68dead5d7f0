"""The settings of every stage: defaults, then ``weakspot.toml``, then ``--set table.key=value``."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from weakspot.records import Policy, Target, domain_name
from zddc.errors import UserError

_VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"


class Table(BaseModel):
    """One table of ``weakspot.toml``; unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Model(Table):
    """The local model that the adapters patch."""

    base: str = Field(
        "Qwen/Qwen2.5-7B-Instruct",
        min_length=1,
        description="a hub id, a local folder, or smollm2-135m, the small model that the demo runs on",
    )
    revision: str = Field("main", description="the revision of a hub id")


class Domain(Table):
    """A kind of question; its triggers are whole words or phrases, in any case."""

    triggers: list[Annotated[str, Field(pattern=r"\S")]]


class Collect(Table):
    """How interactions are captured."""

    default_domain: Annotated[str, AfterValidator(domain_name)] = Field(
        "general-coding", description="the domain where no trigger is found"
    )
    query_weight: int = Field(3, ge=1, description="a trigger in the query counts this many times one in an answer")
    escalation: str = Field("consult Sonnet", min_length=1, description="the turn that stands for the consultation")
    max_record_bytes: int = Field(4_000_000, ge=1000, description="a longer record is refused")
    durability: Literal["disk", "process"] = Field(
        "disk", description="what an acknowledged record survives: disk, a power cut; process, a killed process"
    )
    allow_network_filesystem: bool = Field(
        False, description="store on NFS or SMB all the same, where locks and appends may fail silently"
    )


class Escalation(Table):
    """Which last user message of a conversation asks for a teacher."""

    phrases: list[Annotated[str, Field(pattern=r"\S")]] = Field(
        ["consult {teacher}", "ask {teacher}"],
        description='in any case; {teacher} is a teacher\'s name, or "the expert"',
    )
    default_teacher: str = Field("sonnet", min_length=1, description='the teacher that "the expert" is')


class Gateway(Table):
    """The proxy in front of the local model."""

    upstream: str = Field(
        "http://localhost:8000/v1", pattern="^https?://", description="the local model's server, OpenAI-compatible"
    )
    alias: str = Field(
        "local", min_length=1, description="the model's name that stands for whichever adapter is released"
    )
    model: str = Field("", description="the base's name at the upstream; empty is the first that it lists")
    listen: str = Field("127.0.0.1:8787", pattern=r"^\S+:\d+$", description="where clients reach the gateway")
    upstream_api_key_env: str = Field(
        "", pattern=_VARIABLE, description="environment variable with the local server's key, if it has one"
    )
    max_in_flight: int = Field(256, ge=1, description="requests at work at once; one more gets a 503 to try again")
    max_body_bytes: int = Field(67_108_864, ge=1000, description="of a request; a longer one gets a 413")
    connect_timeout_seconds: float = Field(10, gt=0, description="until the local server must have accepted")
    ask_missing_attempt: bool = Field(
        True, description="ask the local model as well, where a client consults before it has answered"
    )
    remembered_bytes: int = Field(
        33_554_432, ge=0, description="of local answers, kept in memory for clients that leave them out"
    )


class Retrieval(Table):
    """Past expert answers to similar questions, shown to the local model in front of the question."""

    enabled: bool = Field(False, description="show them in the gateway")
    examples: int = Field(3, ge=1, description="shown at most")
    min_similarity: float = Field(
        0.06, ge=0, le=1, description="of two questions: the share of character n-grams that they have in common"
    )
    max_characters: int = Field(4000, ge=1, description="of all questions and answers shown; a longer one is left out")


class Teacher(Table):
    """A stronger model that can be consulted."""

    kind: Literal["anthropic", "openai"] = Field(description="the protocol it speaks")
    model: str = Field(min_length=1, description="its name at the provider")
    base_url: str = Field("", description="of its API; empty is the provider's own")
    api_key_env: str = Field(
        "", pattern=_VARIABLE, description="the environment variable that holds its key; empty where it needs none"
    )
    policy: Policy = Field("ask", description="train on its answers: allow; ask, once a person allows each; refuse")
    terms: str = Field("", description="the licence or the terms that the policy rests on")
    names: list[Annotated[str, Field(pattern=r"\S")]] = Field([], description="what else people call it")
    max_tokens: int = Field(16_000, ge=1, description="of an answer, where the client sets no limit")
    timeout_seconds: float = Field(600, gt=0, description="until an answer must be there")
    input_price: float | None = Field(None, ge=0, description="US dollars for a million tokens read")
    output_price: float | None = Field(None, ge=0, description="US dollars for a million tokens written")


class Process(Table):
    """How raw interactions become a dataset."""

    near_duplicate_threshold: float = Field(
        0.8,
        ge=0.5,
        le=1.0,
        description="Jaccard similarity of query and expert answer at which two examples are one group",
    )


class Validate(Table):
    """What a healthy dataset is."""

    low_examples: int = Field(200, ge=1, description="a domain with fewer examples is LOW")


class Train(Table):
    """How an adapter is trained."""

    learning_rate: float = Field(
        1e-4, gt=0, description="peak of a cosine schedule; small models and short runs want up to 1e-3"
    )
    epochs: int = Field(3, ge=1, description="passes over the training examples")
    max_steps: int = Field(0, ge=0, description="exactly so many optimiser steps, whatever epochs says; 0 is no limit")
    batch_size: int = Field(4, ge=1, description="examples in one forward pass")
    gradient_accumulation: int = Field(2, ge=1, description="forward passes in one optimiser step")
    max_length: int = Field(
        2048, ge=16, description="tokens; longer examples lose their oldest turns, then the answer's end"
    )
    warmup_ratio: float = Field(0.1, ge=0, le=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are shortened to it")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto: bf16 on Ampere or newer, else fp32")
    load_in_4bit: bool = Field(False, description="QLoRA: the base in NF4; needs a CUDA GPU and bitsandbytes")
    gradient_checkpointing: bool = Field(False, description="recompute activations: a quarter slower, half the memory")
    eval_steps: int = Field(0, ge=0, description="measure the val loss every so many steps; 0 is ten times a run")
    early_stopping_patience: int = Field(
        3, ge=0, description="stop after so many val losses without a better one; 0 is never"
    )
    save_steps: int = Field(0, ge=0, description="write a checkpoint every so many steps; 0 is with each val loss")
    seed: int = Field(42, ge=0, description="of the first weights, the order and the dropout")


class Lora(Table):
    """The shape of an adapter."""

    rank: int = Field(64, ge=1, description="of the two small matrices beside each layer")
    alpha: int = Field(64, ge=1, description="their product counts alpha / rank times")
    dropout: float = Field(0.05, ge=0, lt=1, description="share of an adapter's input left out in training")
    target_modules: list[str] | Literal["attention", "all-linear"] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj"],
        description="names of linear layers, or attention, or all-linear",
    )


class Evaluate(Table):
    """When an adapter has proved itself."""

    significance: float = Field(0.05, gt=0, lt=0.5, description="the largest p that counts as evidence, two-sided")
    max_harm: float = Field(0.1, ge=0, description="nats a token that other domains may lose before it counts as harm")
    batch_size: int = Field(8, ge=1, description="conversations in one forward pass")
    max_new_tokens: int = Field(
        256, ge=1, description="where the expert's answer is JSON and the model has to write it"
    )
    retrieval: bool = Field(True, description="measure base and adapter with retrieved examples as well")


Quantisation = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]


class Deploy(Table):
    """How an adapter is put into service."""

    proof_prompts: int = Field(12, ge=1, description="held-out prompts on which served and trained must agree")
    target: Target = Field("merged", description="where run and watch put what is accepted")
    quantisation: Quantisation = Field("q8_0", description="of the weights in a GGUF file")
    server: str = Field(
        "", pattern="^(https?://.*)?$", description="of target vllm, ollama or gateway; empty is [gateway] upstream"
    )


class Status(Table):
    """When retraining is due."""

    retrain_after: int = Field(50, ge=1, description="new interactions in a domain since its last adapter")
    retrain_streak: int = Field(20, ge=2, description="the latest consultations in a row, all in one domain")
    retrain_at: int = Field(200, ge=1, description="a domain passing this size")


class Watch(Table):
    """When ``watch`` may train."""

    window: str = Field(
        "",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="hours of the day in which it may, as 22:00-06:00 in local time; empty is any",
    )
    idle_minutes: float = Field(10, ge=0, description="nothing asked or captured for so long")
    interval_seconds: float = Field(60, gt=0, description="between two looks")


_DOMAINS = {
    "zddc-naming": ["zddc", "trackingnumber", "revision", "status code"],
    "html-architecture": ["html", "spa", "single-file", "es module", "vanilla js"],
    "build-system": ["build.sh", "dist/", "template.html"],
    "coding-debugging": ["debug", "error", "fix", "console"],
    "reasoning-architecture": ["reason", "analyze", "architecture", "design"],
}


_ANTHROPIC_TERMS = "Anthropic's commercial terms: no training of competing models without their consent"
_TEACHERS: dict[str, dict[str, Any]] = {
    name: {
        "kind": "anthropic",
        "model": model,
        "api_key_env": "ANTHROPIC_API_KEY",
        "policy": "ask",
        "terms": _ANTHROPIC_TERMS,
        "names": [f"claude {name}"],
        "input_price": input_price,
        "output_price": output_price,
    }
    for name, model, input_price, output_price in (
        ("sonnet", "claude-sonnet-5-5", 2.0, 10.0),
        ("opus", "claude-opus-5-5", 4.0, 20.0),
    )
}


class Config(Table):
    """All settings of a workspace."""

    model: Model = Model()
    collect: Collect = Collect()
    escalation: Escalation = Escalation()
    gateway: Gateway = Gateway()
    retrieval: Retrieval = Retrieval()
    process: Process = Process()
    validate_: Validate = Field(Validate(), alias="validate")
    train: Train = Train()
    lora: Lora = Lora()
    evaluate: Evaluate = Evaluate()
    deploy: Deploy = Deploy()
    status: Status = Status()
    watch: Watch = Watch()
    domains: dict[Annotated[str, AfterValidator(domain_name)], Domain] = Field(
        {name: Domain(triggers=triggers) for name, triggers in _DOMAINS.items()}
    )
    teachers: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")], Teacher] = Field(
        {name: Teacher(**values) for name, values in _TEACHERS.items()}
    )

    @property
    def triggers(self) -> dict[str, list[str]]:
        """The trigger words by domain, in order of precedence."""
        return {name: domain.triggers for name, domain in self.domains.items()}

    def ordered(self, domains: Iterable[str]) -> list[str]:
        """Return ``domains`` in the table's order, the default domain and unknown ones after it."""
        table = [*self.domains, self.collect.default_domain]
        return sorted(domains, key=lambda name: (table.index(name) if name in table else len(table), name))


# Tables whose keys are names of the user's own choice.
_NAMED: dict[str, type[Table]] = {"domains": Domain, "teachers": Teacher}


def load(file: Path, settings: Sequence[str] = ()) -> Config:
    """Return the settings of ``file`` (defaults where it does not exist) under ``table.key=value`` settings.

    Raises :class:`UserError` naming the file or the setting, the table and the key.
    """
    values: dict[str, Any] = {}
    if file.exists():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UserError(file, f"not valid TOML: {error}", "mend that line") from None
    config = _checked(values, str(file))
    for setting in settings:
        key, equals, value = setting.partition("=")
        path = key.strip().split(".")
        if not equals or len(path) < 2:
            raise UserError(f"--set {setting}", "not of the form table.key=value", "write --set train.epochs=1")
        place = values
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UserError(f"--set {setting}", f"{part} is a key, not a table", "write --set table.key=value")
        place[path[-1]] = _toml_value(value.strip())
        config = _checked(values, f"--set {setting}")
    return config


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _checked(values: dict[str, Any], source: str) -> Config:
    merged = dict(values)
    if isinstance(values.get("domains"), dict):
        # The file's domains come first, in its own order; those it does not name keep their defaults.
        defaults = {name: {"triggers": triggers} for name, triggers in _DOMAINS.items()}
        merged["domains"] = {
            **values["domains"],
            **{k: v for k, v in defaults.items() if k not in values["domains"]},
        }
    if isinstance(given := values.get("teachers"), dict):
        # A shipped teacher keeps the keys that the file does not name.
        changed = {k: {**_TEACHERS.get(k, {}), **v} if isinstance(v, dict) else v for k, v in given.items()}
        merged["teachers"] = {**_TEACHERS, **changed}
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, source) from None
    if (teacher := config.escalation.default_teacher) not in config.teachers:
        known = ", ".join(config.teachers)
        raise UserError(f"{source}: [escalation] default_teacher", f"no teacher {teacher}", f"there are {known}")
    return config


def _explained(error: ValidationError, source: str) -> UserError:
    first = error.errors(include_url=False)[0]
    # A union's branches add their own names to the path: only what the user wrote is shown.
    path = [str(part) for part in first["loc"] if not str(part).startswith(("list[", "literal["))]
    table = f"[{'.'.join(path[:-1])}]" if len(path) > 1 else ""
    name = f"{source}: {table} {path[-1]}".replace(":  ", ": ")
    if first["type"] == "extra_forbidden":
        kind = "key" if len(path) > 1 else "table"
        known = _known(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        remedy = f"did you mean {close[0]}" if close else f"the {kind}s there are: {', '.join(known)}"
        return UserError(name, f"unknown {kind}", remedy)
    message = first["msg"].removeprefix("Value error, ")
    # Where the name of a variable is asked for, people may have put the secret itself.
    secret = path[-1].endswith("_env")
    shown = "that" if secret else json.dumps(first["input"], default=str, ensure_ascii=False)
    return UserError(name, f"{message[:1].lower()}{message[1:]}, not {shown[:80]}", "mend that value")


def _known(path: Sequence[str]) -> list[str]:
    if not path:
        return [field.alias or name for name, field in Config.model_fields.items()]
    if path[0] in _NAMED:
        return list(_NAMED[path[0]].model_fields)
    return list(_table(path[0]).model_fields)


def _table(name: str) -> type[Table]:
    tables = {field.alias or key: type(field.default) for key, field in Config.model_fields.items()}
    return tables[name]


def commented() -> str:
    """Return a ``weakspot.toml`` of every default with a comment on each key."""
    config = Config()
    lines = ["# Settings of this workspace. Every key is optional: what is missing has the value shown here."]
    for name, field in Config.model_fields.items():
        if name not in _NAMED:
            table = getattr(config, name)
            lines += ["", f"# {(table.__doc__ or '').strip()}", f"[{field.alias or name}]", *_entries(table)]
    lines += ["", f"# {(Domain.__doc__ or '').strip()}"]
    lines.append("# Most distinct triggers win; of equals, the domain that stands first. Add your own.")
    for domain, entry_ in config.domains.items():
        lines += [f"[domains.{domain}]", f"triggers = {json.dumps(entry_.triggers)}", ""]
    lines.append(f"# {(Teacher.__doc__ or '').strip()} Add your own: any OpenAI-compatible server can be one.")
    for name, teacher in config.teachers.items():
        lines += [f"[teachers.{name}]", *_entries(teacher), ""]
    return "\n".join(lines)


def _entries(table: Table) -> Iterator[str]:
    for key, entry in type(table).model_fields.items():
        comment = f"  # {entry.description}" if entry.description else ""
        yield f"{key} = {json.dumps(getattr(table, key), ensure_ascii=False)}{comment}"
