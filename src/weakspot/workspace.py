"""The workspace's files: the only module that knows file names."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weakspot.records import MULTI_DOMAIN, Split
from zddc.errors import UserError

CONFIG_NAME = "weakspot.toml"
DEFAULT_FOLDER = "training-data"


@dataclass(frozen=True, order=True)
class AdapterName:
    """A domain's adapter and its version; the folder name is ``<domain>-lora-v<version>``."""

    domain: str
    version: int

    def __str__(self) -> str:
        return f"{self.domain}-lora-v{self.version}"

    @classmethod
    def parse(cls, text: str) -> "AdapterName":
        """Parse a name such as ``colours-lora-v2``; raise ValueError if ``text`` is not one."""
        match = re.fullmatch(r"(.+)-lora-v([1-9]\d*)", text)
        if match is None:
            raise ValueError(f"{text!r} is not an adapter's name")
        return cls(match[1], int(match[2]))

    @property
    def label(self) -> str:
        """The form of the name in an interaction's metadata, for example ``lora-v1-zddc_naming``."""
        return f"lora-v{self.version}-{self.domain.replace('-', '_')}"


@dataclass(frozen=True)
class Workspace:
    """A folder of raw interactions, datasets, adapters and snapshots."""

    root: Path

    @property
    def config_file(self) -> Path:
        """The settings, ``weakspot.toml``."""
        return self.root / CONFIG_NAME

    @property
    def parts(self) -> list[Path]:
        """Everything that weakspot writes itself; what else lies in the root is somebody else's."""
        folders = (self.raw.parent, self.processed, self.validation, self.snapshots, self.adapters)
        files = (self.releases, self.usage, self.spending, self.clients)
        return [*folders, *files, self.lock, self.watch_lock, self.releases_lock]

    @property
    def raw(self) -> Path:
        """Every captured interaction, append only."""
        return self.root / "raw" / "interactions.jsonl"

    @property
    def decisions(self) -> Path:
        """People's decisions about interactions, append only."""
        return self.root / "raw" / "decisions.jsonl"

    @property
    def unfitted(self) -> Path:
        """Consultations that were answered and are no interactions, append only."""
        return self.root / "raw" / "unfitted.jsonl"

    @property
    def thoughts(self) -> Path:
        """What teachers wrote before their answers, append only; nothing reads it."""
        return self.root / "raw" / "thoughts.jsonl"

    @property
    def unheard(self) -> Path:
        """Messages that look like a request for an expert and were not taken for one, append only."""
        return self.root / "raw" / "unheard.jsonl"

    @property
    def processed(self) -> Path:
        """Folder of the deduplicated examples."""
        return self.root / "processed"

    @property
    def all_examples(self) -> Path:
        """The examples of every domain in the order of capture."""
        return self.processed / "all.jsonl"

    @property
    def multi_domain(self) -> Path:
        """The examples of every domain, domain after domain."""
        return self.examples(MULTI_DOMAIN)

    def examples(self, domain: str) -> Path:
        """One domain's examples."""
        return self.processed / f"{domain}.jsonl"

    def example_files(self) -> dict[str, Path]:
        """The existing files of examples by domain, including the multi-domain one."""
        others, found = (self.all_examples, self.rejections), sorted(self.processed.glob("*.jsonl"))
        return {file.stem: file for file in found if file not in others and not file.is_symlink()}

    @property
    def rejections(self) -> Path:
        """The rejected raw lines, with reasons."""
        return self.processed / "rejections.jsonl"

    @property
    def validation(self) -> Path:
        """Folder of the splits."""
        return self.root / "validation"

    def split(self, split: Split) -> Path:
        """One split, with all domains."""
        return self.validation / f"{split}.jsonl"

    @property
    def assignments(self) -> Path:
        """The split of each group, which never changes."""
        return self.validation / "assignments.jsonl"

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots, immutable copies of the dataset."""
        return self.root / "snapshots"

    def snapshot(self, name: str) -> Path:
        """The folder of one snapshot."""
        return self.snapshots / name

    def snapshot_split(self, name: str, split: Split) -> Path:
        """One split of one copy."""
        return self.snapshot(name) / self.split(split).relative_to(self.root)

    def snapshot_manifest(self, name: str) -> Path:
        """The hashes of a snapshot's files; if it exists, the snapshot is complete."""
        return self.snapshot(name) / "manifest.json"

    def snapshot_forgotten(self, name: str) -> Path:
        """The interactions of a snapshot that were forgotten since."""
        return self.snapshot(name) / "forgotten.jsonl"

    def snapshot_names(self, *, complete: bool = True) -> list[str]:
        """The snapshots, oldest first; incomplete ones only with ``complete=False``."""
        found = []
        for folder in self.snapshots.glob("v*"):
            match = re.fullmatch(r"v(\d{4}-\d{2}-\d{2})(?:\.(\d+))?", folder.name)
            if match and (not complete or self.snapshot_manifest(folder.name).exists()):
                found.append((match[1], int(match[2] or 1), folder.name))
        return [name for _, _, name in sorted(found)]

    def next_snapshot(self, day: str) -> str:
        """The name of the next snapshot, ``v<day>[.<n>]``; it sorts after all others, even if the clock went back."""
        taken = self.snapshot_names(complete=False)
        newest, _, number = taken[-1].removeprefix("v").partition(".") if taken else ("", "", "")
        return f"v{day}" if newest < day else f"v{newest}.{int(number or 1) + 1}"

    @property
    def adapters(self) -> Path:
        """Folder of the adapters and merged models."""
        return self.root / "adapters"

    def adapter(self, name: AdapterName) -> Path:
        """One adapter's folder."""
        return self.adapters / str(name)

    def reference_answers(self, name: AdapterName) -> Path:
        """The answers of the adapter and of its base to held-out prompts, by which a deployment is proved."""
        return self.adapter(name) / "expected.json"

    def merged(self, name: AdapterName) -> Path:
        """Folder of the standalone model made of the base and one adapter."""
        return self.adapters / f"{name}-merged"

    def adapter_manifest(self, name: AdapterName) -> Path:
        """The manifest of an adapter; if it exists, the adapter is complete."""
        return self.adapter(name) / "manifest.json"

    def adapter_forgotten(self, name: AdapterName) -> Path:
        """The interactions that an adapter saw and that were forgotten since."""
        return self.adapter(name) / "forgotten.jsonl"

    def adapter_sweep(self, name: AdapterName) -> Path:
        """The settings that a sweep tried for an adapter, with the result of each."""
        return self.adapter(name) / "sweep.json"

    def adapter_metrics(self, name: AdapterName) -> Path:
        """The training curve, one JSON object per step."""
        return self.adapter(name) / "metrics.jsonl"

    def adapter_card(self, name: AdapterName) -> Path:
        """The model card."""
        return self.adapter(name) / "README.md"

    def adapter_curve(self, name: AdapterName) -> Path:
        """The training curve as a picture."""
        return self.adapter(name) / "loss.png"

    def adapter_checkpoint(self, name: AdapterName) -> Path:
        """The checkpoint from which an unfinished training resumes."""
        return self.adapter(name) / "checkpoint"

    def evaluation(self, name: AdapterName) -> Path:
        """An adapter's scorecard."""
        return self.adapter(name) / "evaluation.json"

    def evaluation_page(self, name: AdapterName) -> Path:
        """An adapter's scorecard as a page to look at."""
        return self.adapter(name) / "evaluation.html"

    def merged_manifest(self, name: AdapterName) -> Path:
        """The manifest of a merged model; if it exists, the model is complete and proved."""
        return self.merged(name) / "manifest.json"

    @property
    def releases(self) -> Path:
        """Every change of what is in service, append only."""
        return self.root / "releases.jsonl"

    @property
    def watch_lock(self) -> Path:
        """The lock file of ``watch``, of which only one process may run."""
        return self.root / ".watch.lock"

    @property
    def releases_lock(self) -> Path:
        """The lock file that is held while a release is numbered and written."""
        return self.root / ".releases.lock"

    @property
    def usage(self) -> Path:
        """Usage events: every question that the gateway answered, without its text, append only."""
        return self.root / "usage.jsonl"

    @property
    def spending(self) -> Path:
        """What was spent at the teachers, and what is reserved for consultations in flight."""
        return self.root / "spending.jsonl"

    @property
    def clients(self) -> Path:
        """The named clients: their limits and the hashes of their keys, append only."""
        return self.root / "clients.jsonl"

    def gguf(self, name: AdapterName) -> Path:
        """Folder of the GGUF files of an adapter and of its merged model."""
        return self.adapters / f"{name}-gguf"

    def gguf_manifest(self, name: AdapterName) -> Path:
        """The manifest of a folder of GGUF files; if it exists, the files are complete and proved."""
        return self.gguf(name) / "manifest.json"

    def mlx(self, name: AdapterName) -> Path:
        """Folder of an adapter in the format of mlx-lm."""
        return self.adapters / f"{name}-mlx"

    def mlx_manifest(self, name: AdapterName) -> Path:
        """The manifest of an adapter in the format of mlx-lm; if it exists, the adapter is complete and proved."""
        return self.mlx(name) / "manifest.json"

    @property
    def lock(self) -> Path:
        """The lock file that is held while the dataset or the adapters are rewritten."""
        return self.root / ".lock"

    def adapter_names(self, domain: str | None = None, *, complete: bool = True) -> list[AdapterName]:
        """The adapters, by domain and version, or those of one domain; incomplete ones only with ``complete=False``."""
        found = []
        for folder in self.adapters.glob("*-lora-v*"):
            with contextlib.suppress(ValueError):
                name = AdapterName.parse(folder.name)
                if not folder.is_dir():
                    continue
                if domain in (None, name.domain) and (not complete or self.adapter_manifest(name).exists()):
                    found.append(name)
        return sorted(found)

    def newest_adapter(self, domain: str) -> AdapterName | None:
        """The domain's complete adapter of the highest version."""
        return max(self.adapter_names(domain), default=None)

    def next_adapter(self, domain: str) -> AdapterName:
        """The name of the domain's next adapter: one past the highest complete version."""
        newest = self.newest_adapter(domain)
        return AdapterName(domain, newest.version + 1 if newest else 1)

    def require_adapter(self, domain: str) -> AdapterName:
        """The domain's newest complete adapter; raises :class:`UserError` if there is none."""
        newest = self.newest_adapter(domain)
        if newest is None:
            raise UserError(domain, "has no complete adapter", f"run 'weakspot train {domain}'")
        return newest


def agreements_file() -> Path:
    """The user's own file of what may be sent where, outside of every workspace."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if Path(configured).is_absolute() else Path.home() / ".config"
    return folder / "weakspot" / "agreements.jsonl"


def is_named(given: Path | None) -> bool:
    """Return whether a person named the workspace, by an option or by ``WEAKSPOT_WORKSPACE``."""
    return given is not None or bool(os.environ.get("WEAKSPOT_WORKSPACE"))


def find_workspace(
    given: Path | None, objection: Callable[[Path], str] = lambda _: "", report: Callable[[str], None] = lambda _: None
) -> Workspace:
    """Return the workspace: the given one, else ``WEAKSPOT_WORKSPACE``, else the nearest folder with a
    ``weakspot.toml``, from this folder upwards to the home folder, else ``./training-data``.

    ``objection`` says why a found file does not count, "" where it does; what is passed over is reported.
    """
    chosen = given or (Path(value) if (value := os.environ.get("WEAKSPOT_WORKSPACE")) else None)
    if chosen is None:
        chosen = Path.cwd() / DEFAULT_FOLDER
        for folder in _folders_upwards():
            if not (folder / CONFIG_NAME).is_file():
                continue
            if why := objection(folder / CONFIG_NAME):
                report(f"{folder / CONFIG_NAME}: not read, since {why}; if it is yours, name it: --workspace {folder}")
                continue
            chosen = folder
            break
        else:
            if (chosen / CONFIG_NAME).is_file() and (why := objection(chosen / CONFIG_NAME)):
                raise UserError(chosen / CONFIG_NAME, why, f"if it is yours, name it: --workspace {chosen}")
    if chosen.exists() and not chosen.is_dir():
        raise UserError(chosen, "a file, not a folder", "give the workspace's folder")
    return Workspace(chosen)


def _folders_upwards() -> Iterator[Path]:
    """Yield this folder and those above it, up to the home folder where it is one of them."""
    here, home = Path.cwd(), Path.home()
    for folder in (here, *here.parents):
        yield folder
        if folder == home:
            return
