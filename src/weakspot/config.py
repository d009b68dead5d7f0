"""The settings of every stage: defaults, then ``weakspot.toml``, then ``--set table.key=value``."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from weakspot.records import domain_name
from zddc.errors import UserError


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


class Deploy(Table):
    """How an adapter is put into service."""

    proof_prompts: int = Field(6, ge=1, description="held-out prompts on which merged and trained must agree")


class Status(Table):
    """When retraining is due."""

    retrain_after: int = Field(50, ge=1, description="new interactions in a domain since its last adapter")
    retrain_at: int = Field(200, ge=1, description="a domain passing this size")


_DOMAINS = {
    "zddc-naming": ["zddc", "trackingnumber", "revision", "status code"],
    "html-architecture": ["html", "spa", "single-file", "es module", "vanilla js"],
    "build-system": ["build.sh", "dist/", "template.html"],
    "coding-debugging": ["debug", "error", "fix", "console"],
    "reasoning-architecture": ["reason", "analyze", "architecture", "design"],
}


class Config(Table):
    """All settings of a workspace."""

    model: Model = Model()
    collect: Collect = Collect()
    process: Process = Process()
    validate_: Validate = Field(Validate(), alias="validate")
    train: Train = Train()
    lora: Lora = Lora()
    evaluate: Evaluate = Evaluate()
    deploy: Deploy = Deploy()
    status: Status = Status()
    domains: dict[Annotated[str, AfterValidator(domain_name)], Domain] = Field(
        {name: Domain(triggers=triggers) for name, triggers in _DOMAINS.items()}
    )

    @property
    def triggers(self) -> dict[str, list[str]]:
        """The trigger words by domain, in order of precedence."""
        return {name: domain.triggers for name, domain in self.domains.items()}

    def ordered(self, domains: Iterable[str]) -> list[str]:
        """Return ``domains`` in the table's order, the default domain and unknown ones after it."""
        table = [*self.domains, self.collect.default_domain]
        return sorted(domains, key=lambda name: (table.index(name) if name in table else len(table), name))


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
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, source) from None


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
    shown = json.dumps(first["input"], default=str, ensure_ascii=False)
    return UserError(name, f"{message[:1].lower()}{message[1:]}, not {shown[:80]}", "mend that value")


def _known(path: Sequence[str]) -> list[str]:
    if not path:
        return [field.alias or name for name, field in Config.model_fields.items()]
    if path[0] == "domains":
        return list(Domain.model_fields)
    return list(_table(path[0]).model_fields)


def _table(name: str) -> type[Table]:
    tables = {field.alias or key: type(field.default) for key, field in Config.model_fields.items()}
    return tables[name]


def commented() -> str:
    """Return a ``weakspot.toml`` of every default with a comment on each key."""
    config = Config()
    lines = ["# Settings of this workspace. Every key is optional: what is missing has the value shown here."]
    for name, field in Config.model_fields.items():
        if name == "domains":
            continue
        table = getattr(config, name)
        lines += ["", f"# {(table.__doc__ or '').strip()}", f"[{field.alias or name}]"]
        for key, entry in type(table).model_fields.items():
            comment = f"  # {entry.description}" if entry.description else ""
            lines.append(f"{key} = {json.dumps(getattr(table, key), ensure_ascii=False)}{comment}")
    lines += ["", f"# {(Domain.__doc__ or '').strip()}"]
    lines.append("# Most distinct triggers win; of equals, the domain that stands first. Add your own.")
    for domain, entry_ in config.domains.items():
        lines += [f"[domains.{domain}]", f"triggers = {json.dumps(entry_.triggers)}", ""]
    return "\n".join(lines)
