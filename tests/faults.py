"""Deliberate faults: each is put into a copy of the source, and its tests must notice it.

``python tests/faults.py`` tries those named here and those of ``faults_drawn.json``, which ``draw_faults.py`` drew. It
ends with status 1 where a named one is not caught, or a drawn one survives without a reason.
"""

import argparse
import contextlib
import gc
import importlib
import json
import os
import queue
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

ROOT = Path(__file__).parents[1]
DRAWN = Path(__file__).with_name("faults_drawn.json")
# What tests look at beside the source.
COPIED = ("src", "tests", "docs", "examples", "spec", "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile")
# They take seconds to import, and a fork has them at once. Nothing of ours is among them.
PRELOADED = (
    *("pytest", "pydantic", "typer", "rich.table", "rich.progress", "aiohttp", "torch", "safetensors.torch"),
    *("transformers.models.llama.modeling_llama", "transformers.models.auto.modeling_auto", "transformers.generation"),
    *("transformers.integrations.sdpa_attention", "transformers.masking_utils", "transformers.models.auto"),
    *("peft", "scipy.stats", "matplotlib.figure", "jinja2"),
)
MOST_BYTES = 12 << 30
# A fault may make an end that never comes: ten times what the tests took unchanged, and two minutes.
PATIENCE_SECONDS, PATIENCE_TIMES, _SLICE_SECONDS = 120.0, 10.0, 0.5


class Fault(NamedTuple):
    """A mistake: in ``file`` the text ``old``, which stands there once, becomes ``new``; ``tests`` must notice.

    ``survives`` is why a drawn one changes nothing that a test could see; a named one has no such reason.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    survives: str = ""


NAMED = (
    # --- the index of the server, links, tokens
    Fault(
        "a token works after its time",
        "src/zddc/server/tokens.py",
        "if token.expires <= self._clock():",
        "if token.expires < token.created:",
        "tests/zddc/server/test_tokens.py",
    ),
    Fault(
        "a link leads to a file that the person may not read",
        "src/zddc/server/virtual.py",
        "return self._folders.get(entry.folder, True) and self._may_open(path_on_disk(self._root, entry)[0])",
        "return True",
        "tests/zddc/server/test_virtual.py",
    ),
    Fault(
        "what needs no disk waits for one",
        "src/zddc/server/app.py",
        "        if self._metrics.at_once > FEW_AT_ONCE or",
        "        if",
        "tests/zddc/server/test_direct.py",
    ),
    Fault(
        "every thread in which requests come may wait for a disk",
        "src/zddc/server/direct.py",
        "self._answering.acquire(blocking=False)",
        "self._answering.acquire()",
        "tests/zddc/server/test_direct.py",
    ),
    Fault(
        "the system keeps megabytes for each reader who takes nothing",
        "src/zddc/server/direct.py",
        "            _keep_little_unsent(place.get_fd())\n",
        "            pass\n",
        "tests/zddc/server/test_run_readers.py",
    ),
    Fault(
        "what comes while a thread answers is never left to it",
        "src/zddc/server/direct.py",
        "                    time.sleep(_QUICK_SECONDS)\n",
        "                    pass\n",
        "tests/zddc/server/test_direct.py",
    ),
    Fault(
        "jobs wait for ever for a thread that waits itself",
        "src/zddc/server/threads.py",
        "if self._started < self._most:",
        "if not self._started:",
        "tests/zddc/server/test_threads.py",
    ),
    Fault(
        "a piece is as large for the thousandth reader as for the first",
        "src/zddc/server/answer.py",
        "// max(_FEW_BODIES, cls._open) ** 2",
        "// _FEW_BODIES**2",
        "tests/zddc/server/test_answer.py",
    ),
    Fault(
        "the last line that comes in a moment is never written to the audit",
        "src/zddc/server/audit.py",
        "            self._write(lines)",
        "            self._write(lines[:-1] or lines)",
        "tests/zddc/server/test_audit.py",
    ),
    Fault(
        "two servers write to one file of the audit",
        "src/zddc/server/audit.py",
        "        if stat.S_ISREG(os.fstat(descriptor).st_mode):\n",
        "        if stat.S_ISDIR(os.fstat(descriptor).st_mode):\n",
        "tests/zddc/server/test_audit.py",
    ),
    Fault(
        "a folder that took the name of another keeps what was below that one",
        "src/zddc/server/watching.py",
        "            self._replaced.add(path)\n",
        "            pass\n",
        "tests/zddc/server/test_watching.py",
    ),
    # --- the pages, and what a person is told is there
    Fault(
        "documents in a closed folder are counted",
        "src/zddc/server/projects.py",
        "if (one := project_of.get(folder))",
        "if (one := project_of.get(folder) or next(iter(project_of.values()), None))",
        "tests/zddc/server/test_projects.py",
    ),
    Fault(
        "where one may hand in is told to those who may read",
        "src/zddc/server/projects.py",
        """policy.chain_of(names), email, "c")""",
        """policy.chain_of(names), email, "r")""",
        "tests/zddc/server/test_projects.py",
    ),
    Fault(
        "a page may be put into a frame",
        "src/zddc/server/pages.py",
        "; frame-ancestors 'none'",
        "",
        "tests/zddc/server/test_pages.py",
    ),
    Fault(
        "a page in a closed folder tells that the folder is there",
        "src/zddc/server/app.py",
        "            if not above:  # as in",
        "            if above:  # as in",
        "tests/zddc/server/test_pages.py",
    ),
    Fault(
        "pages are copied over what a user has saved",
        "src/zddc/tools/__init__.py",
        "and not present[page.file_name] and not replace",
        "and present[page.file_name] and not replace",
        "tests/zddc/test_tools.py",
    ),
    # --- records, settings, lines
    Fault(
        "a name that is reserved may be a domain",
        "src/weakspot/records/interactions.py",
        "if name in RESERVED_DOMAINS:",
        "if name in ():",
        "tests/weakspot/records/test_parsing.py",
    ),
    Fault(
        "what a template drops is trained on",
        "src/weakspot/models/rendering.py",
        "if not found.issuperset(expected):",
        "if not found:",
        "tests/weakspot/models/test_rendering.py",
    ),
    Fault(
        "the day of the machine is in the prompts of training",
        "src/weakspot/models/rendering.py",
        "moment=datetime.fromisoformat(captured.timestamp),",
        "moment=None,",
        "tests/weakspot/models/test_rendering.py",
    ),
    Fault(
        "the base's own thoughts are learned",
        "src/weakspot/models/rendering.py",
        "return written[:begin], written[begin:]",
        'return "", written',
        "tests/weakspot/models/test_rendering.py",
    ),
    Fault(
        "the first control token behind an answer ends it",
        "src/weakspot/models/chat_template.py",
        "if tokenizer.convert_tokens_to_ids(one[0]) in known.ends)",
        "if one[0])",
        "tests/weakspot/models/test_chat_template.py",
    ),
    Fault(
        "the answer is tokenized apart from its prompt",
        "src/weakspot/models/tokenization.py",
        "return whole[len(before) :]",
        "return token_ids(tokenizer, text)",
        "tests/weakspot/models/test_tokenization_ids.py",
    ),
    Fault(
        "more turns are dropped than must be",
        "src/weakspot/models/tokenization.py",
        "fitting = bisect.bisect_left(range(fitting), True, lo=refused + 1, key=fits)",
        "pass",
        "tests/weakspot/models/test_tokenization_ids.py",
    ),
    Fault(
        "white space in code is folded as in prose",
        "src/weakspot/records/white_space.py",
        "if fence or mark or _INDENTED.match(line) or",
        "if",
        "tests/weakspot/records/test_white_space.py",
    ),
    Fault(
        "white space tells two contents apart",
        "src/weakspot/records/interactions.py",
        "(message.role, message.comparable_text) for",
        "(message.role, message.text) for",
        "tests/weakspot/records/test_parsing.py",
    ),
    Fault(
        "the local model's own words are part of the prompt",
        "src/weakspot/records/interactions.py",
        "*self.attempt[: last + 1]",
        "*self.attempt[: last + 2]",
        "tests/weakspot/records/test_interactions.py",
    ),
    Fault(
        "an unknown key of the settings is passed over",
        "src/weakspot/settings.py",
        'extra="forbid"',
        'extra="ignore"',
        "tests/weakspot/test_config.py",
    ),
    Fault(
        "a default teacher that is not there is no mistake",
        "src/weakspot/config.py",
        ") not in config.teachers:",
        ") in ():",
        "tests/weakspot/test_config.py",
    ),
    Fault(
        "what stands where a variable's name is asked for is shown",
        "src/weakspot/config.py",
        'secret = path[-1].endswith("_env")',
        "secret = False",
        "tests/weakspot/test_config.py",
    ),
    Fault(
        "NaN is taken for JSON",
        "src/weakspot/records/strict_json.py",
        "json.loads(text, parse_constant=_refuse)",
        "json.loads(text)",
        "tests/weakspot/records/test_parsing.py",
    ),
    Fault(
        "an answer that was cut off is trained on",
        "src/weakspot/records/parsing.py",
        "if whole and record.metadata.incomplete:",
        "if not whole and record.metadata.incomplete:",
        "tests/weakspot/records/test_parsing.py",
    ),
    Fault(
        "a trigger in the query counts no more than one in an answer",
        "src/weakspot/dataset/domains.py",
        "query_weight * points + more",
        "points + more",
        "tests/weakspot/dataset/test_domains.py",
    ),
    Fault(
        "the next adapter takes the version of the newest",
        "src/weakspot/workspace.py",
        "newest.version + 1 if newest else 1",
        "newest.version if newest else 1",
        "tests/weakspot/test_workspace.py",
    ),
    Fault(
        "an adapter without its manifest is complete",
        "src/weakspot/workspace.py",
        "(not complete or self.adapter_manifest(name).exists())",
        "True",
        "tests/weakspot/test_workspace.py",
    ),
    # --- what lies on the disk
    Fault(
        "the append lock is not taken",
        "src/weakspot/storage/locks.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX)",
        "pass",
        "tests/weakspot/storage/test_append_log.py::test_a_journal_is_shared_by_threads"
        " tests/weakspot/storage/test_locks.py",
    ),
    Fault(
        "a reader takes no lock of the content",
        "src/weakspot/storage/locks.py",
        "fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _request(fcntl.F_RDLCK))",
        "pass",
        "tests/weakspot/storage/test_locks.py",
    ),
    Fault(
        "a file that was moved away while a writer waited is written to",
        "src/weakspot/storage/locks.py",
        "while descriptor < 0 or not is_current(descriptor, file):",
        "while descriptor < 0:",
        "tests/weakspot/storage/test_locks.py",
    ),
    Fault(
        "a torn tail is not closed and swallows the next record",
        "src/weakspot/storage/append_log.py",
        'torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\\n"',
        "torn = False",
        "tests/weakspot/storage/test_append_log.py",
    ),
    Fault(
        "what the disk took of a record is not taken back",
        "src/weakspot/storage/append_log.py",
        "os.ftruncate(descriptor, end)\n",
        "pass\n",
        "tests/weakspot/storage/test_append_log.py",
    ),
    Fault(
        "an append is acknowledged before it is on the disk",
        "src/weakspot/storage/append_log.py",
        "                os.fdatasync(descriptor)\n        except JournalError:",
        "                pass\n        except JournalError:",
        "tests/weakspot/storage/test_append_log_faults.py::test_what_could_not_be_synced_is_taken_back_and_not_acknowledged"
        " tests/weakspot/storage/test_append_log_disk.py::test_what_was_acknowledged_survives_a_power_cut",
    ),
    Fault(
        "the name of a new journal is not brought to the disk",
        "src/weakspot/storage/append_log.py",
        "        with _journal_errors(file):\n            atomic.sync_folder(file.parent)",
        "        pass",
        "tests/weakspot/storage/test_append_log_faults.py::test_a_sync_of_the_folder_that_fails_is_a_failure_of_the_journal"
        " tests/weakspot/storage/test_append_log_disk.py::test_what_was_acknowledged_survives_a_power_cut",
    ),
    Fault(
        "a journal goes on after a failed sync",
        "src/weakspot/storage/append_log.py",
        "self.failed = True",
        "self.failed = False",
        "tests/weakspot/storage/test_append_log_faults.py::test_a_disk_that_goes_on_failing_acknowledges_nothing"
        " tests/weakspot/storage/test_append_log_disk.py"
        "::test_after_a_failed_sync_nothing_is_acknowledged_until_reopened",
    ),
    Fault(
        "a record that is gone is not missed when a journal is reopened",
        "src/weakspot/storage/append_log.py",
        "hashlib.sha256(found).digest() != digest:",
        "len(found) != length:",
        "tests/weakspot/storage/test_append_log_disk.py::test_a_record_that_is_gone_stays_a_failure",
    ),
    Fault(
        "a line is overwritten before it is marked as erased",
        "src/weakspot/storage/append_log.py",
        "for step in (marks, bodies, beginnings):",
        "for step in (bodies, marks, beginnings):",
        "tests/weakspot/storage/test_append_log_faults.py::test_a_replacement_that_failed_lost_nothing_and_is_finished_when_done_again",
    ),
    Fault(
        "a line is replaced that is not any more what was read",
        "src/weakspot/storage/append_log.py",
        "for line in changes.keys() - set(found):",
        "for line in ():",
        "tests/weakspot/storage/test_append_log.py",
    ),
    Fault(
        "a journal may lie on a network file system unasked",
        "src/weakspot/storage/append_log.py",
        "if not allowed and (kind",
        "if allowed and (kind",
        "tests/weakspot/storage/test_append_log.py",
    ),
    Fault(
        "a whole file is renamed before it is on the disk",
        "src/zddc/durable.py",
        "            os.fsync(stream.fileno())\n",
        "",
        "tests/weakspot/storage/test_atomic_faults.py tests/weakspot/storage/test_atomic_disk.py",
    ),
    Fault(
        "the new name of a whole file is not brought to the disk",
        "src/weakspot/storage/atomic.py",
        "        raise error_with_file(error, file) from None\n    sync_folder(file.parent)",
        "        raise error_with_file(error, file) from None",
        "tests/weakspot/storage/test_atomic_faults.py tests/weakspot/storage/test_atomic_disk.py",
    ),
    Fault(
        "a whole folder is renamed before it is on the disk",
        "src/weakspot/storage/atomic.py",
        "        sync_tree(temporary)\n",
        "",
        "tests/weakspot/storage/test_atomic.py tests/weakspot/storage/test_atomic_disk.py",
    ),
    Fault(
        "two may hold a lock of the workspace at once",
        "src/weakspot/storage/atomic.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/weakspot/storage/test_atomic.py",
    ),
    Fault(
        "splits that no snapshot holds are trained on",
        "src/weakspot/dataset/reading.py",
        "!= atomic.sha256(file):",
        "is None:",
        "tests/weakspot/pipeline/test_train.py::test_splits_that_no_snapshot_holds_are_not_trained_on",
    ),
    # --- who is in which split
    Fault(
        "a shared conversation or question makes no group",
        "src/weakspot/dataset/splits.py",
        "sorted({*similar, *(n for key in keys for n in by_key[key])})",
        "sorted(similar)",
        "tests/weakspot/dataset/test_splits.py",
    ),
    Fault(
        "a near-duplicate may be in another split",
        "src/weakspot/dataset/splits.py",
        "sorted({*similar, *(n for key in keys for n in by_key[key])})",
        "sorted({n for key in keys for n in by_key[key]})",
        "tests/weakspot/dataset/test_splits.py",
    ),
    Fault(
        "an example that ties two splits together is let in",
        "src/weakspot/dataset/splits.py",
        "if len(splits) > 1:",
        "if len(splits) > 2:",
        "tests/weakspot/dataset/test_splits.py",
    ),
    Fault(
        "an assignment that was written is made anew",
        "src/weakspot/dataset/splits.py",
        "before = recorded.get(example.id)",
        "before = None",
        "tests/weakspot/dataset/test_splits.py",
    ),
    Fault(
        "a pair at the threshold is no near-duplicate",
        "src/weakspot/dataset/near_duplicates.py",
        "jaccard(own, sets[other]) >= threshold]",
        "jaccard(own, sets[other]) > threshold]",
        "tests/weakspot/dataset/test_near_duplicates.py",
    ),
    Fault(
        "one n-gram too few is looked at for pairs across splits",
        "src/weakspot/dataset/near_duplicates.py",
        "- 1e-9) + 1]",
        "- 1e-9)]",
        "tests/weakspot/dataset/test_near_duplicates.py",
    ),
    Fault(
        "the worst text is ranked first",
        "src/weakspot/dataset/bm25.py",
        "heapq.nlargest(count, ranked)",
        "heapq.nsmallest(count, ranked)",
        "tests/weakspot/dataset/test_bm25.py",
    ),
    # --- what is captured
    Fault(
        "a model is a teacher's by any part of its name",
        "src/weakspot/importers/model_names.py",
        "return named if believed and not",
        "return named if not",
        "tests/weakspot/importers/test_model_names.py",
    ),
    Fault(
        "what is assumed of an imported consultation waits for nobody",
        "src/weakspot/importers/extraction.py",
        '**({"policy": "ask"} if doubts else {})',
        "**{}",
        "tests/weakspot/importers/test_extraction.py tests/weakspot/importers/test_chat_logs.py",
    ),
    Fault(
        "equal words of two people are one question",
        "src/weakspot/importers/chat_logs.py",
        'f"{who}\\0" * bool(who) + ',
        "",
        "tests/weakspot/importers/test_chat_logs.py",
    ),
    Fault(
        "a reader's thumb permits training",
        "src/weakspot/capture/decisions.py",
        "if decision.action in THUMBS:\n",
        'if decision.action == "thumbs-down":\n',
        "tests/weakspot/capture/test_decisions.py tests/weakspot/capture/test_feedback.py",
    ),
    Fault(
        "the keys of providers are not looked for",
        "src/weakspot/redaction/redact.py",
        "    yield from provider_keys(text)\n",
        "",
        "tests/weakspot/redaction/test_redact_recall.py::test_secrets_are_found_and_nothing_else",
    ),
    Fault(
        "passwords in addresses and headers are passed over",
        "src/weakspot/redaction/context_patterns.py",
        "    *_HEADERS,\n",
        "",
        "tests/weakspot/redaction/test_context_patterns.py",
    ),
    Fault(
        "secrets that are known are not sought",
        "src/weakspot/redaction/redact.py",
        "self._known = sorted(set(known), key=len, reverse=True)",
        "self._known: list[str] = []",
        "tests/weakspot/redaction/test_redact.py::test_known_secrets_go_wherever_they_stand",
    ),
    Fault(
        "what is encoded in base64 is not read",
        "src/weakspot/redaction/views.py",
        "((_HEX, _decode_hex), (_BASE64, _decode_base64))",
        "((_HEX, _decode_hex),)",
        "tests/weakspot/redaction/test_views.py::test_every_kind_of_key_is_found_in_every_form",
    ),
    Fault(
        "a secret in a view is looked for at another place of the text",
        "src/weakspot/redaction/views.py",
        "start, at, width = end, at + length, 1",
        "at, width = at + length, 1",
        "tests/weakspot/redaction/test_views.py::test_a_place_in_a_view_leads_to_what_is_read_there",
    ),
    Fault(
        "any number of the right length is a bank account",
        "src/weakspot/redaction/iban.py",
        "% 97 == 1",
        "% 97 >= 0",
        "tests/weakspot/redaction/test_iban.py::test_a_wrong_digit_makes_it_another_number",
    ),
    Fault(
        "the last word of a line is no word of its own",
        "src/weakspot/vocabulary/wishes.py",
        're.split("(?<! ), ", " ".join(text.split()))',
        're.split("(?<! ), ", text)',
        "tests/weakspot/capture/test_wish_grammar.py",
    ),
    Fault(
        "a wish with a condition in its sentence is one",
        "src/weakspot/capture/trigger_phrases.py",
        "not grammar.condition.search(sentence)",
        "True",
        "tests/weakspot/capture/test_trigger_phrases.py",
    ),
    Fault(
        "what was forgotten comes back by an import",
        "src/weakspot/importers/importer.py",
        "if self._decisions.is_forgotten(record):",
        "if record.id in self._decisions.forgotten:",
        "tests/weakspot/importers/test_importer.py tests/weakspot/importers/test_importer_command.py",
    ),
    Fault(
        "what is imported is not scrubbed",
        "src/weakspot/importers/importer.py",
        "if not cleaned.counts:",
        "if cleaned.counts:",
        "tests/weakspot/importers/test_importer.py",
    ),
    Fault(
        "an answer that broke off in another program is whole",
        "src/weakspot/importers/extraction.py",
        'end.stop in ("length", "refused") or any(',
        'end.stop in ("length", "refused") and any(',
        "tests/weakspot/importers/test_extraction.py",
    ),
    Fault(
        "a teacher's model counts as a local one where any other spoke, too",
        "src/weakspot/importers/extraction.py",
        "bool(models) and all(model and not teacher_of",
        "bool(models) and any(model and not teacher_of",
        "tests/weakspot/importers/test_extraction.py",
    ),
    Fault(
        "a session that another one started is a conversation",
        "src/weakspot/importers/opencode.py",
        "FROM session WHERE parent_id IS NULL ORDER",
        "FROM session ORDER",
        "tests/weakspot/importers/test_opencode.py",
    ),
    Fault(
        "a bracket in a text opens a list",
        "src/weakspot/importers/json_stream.py",
        'elif quoted or sign.startswith(b"\\\\"):',
        'elif sign.startswith(b"\\\\"):',
        "tests/weakspot/importers/test_json_stream.py",
    ),
    Fault(
        "a person may allow what a policy refuses",
        "src/weakspot/capture/decisions.py",
        'if example.policy == "refuse":',
        'if example.policy == "refuse" and decided is None:',
        "tests/weakspot/capture/test_decisions.py",
    ),
    Fault(
        "what was forgotten is known by its id only",
        "src/weakspot/capture/decisions.py",
        "self.forgotten_contents.add(decision.content)",
        "pass",
        "tests/weakspot/capture/test_decisions.py",
    ),
    Fault(
        "an undo takes back the oldest decision",
        "src/weakspot/capture/decisions.py",
        "earlier.pop()",
        "earlier.pop(0)",
        "tests/weakspot/capture/test_decisions.py",
    ),
    Fault(
        "a key in an edit is kept",
        "src/weakspot/capture/review.py",
        "cleaned = scrub(dict(changed), api_keys(config)).value",
        "cleaned = dict(changed)",
        "tests/weakspot/capture/test_review.py",
    ),
    Fault(
        "a preview of scrubbing changes the file",
        "src/weakspot/capture/redact_stored.py",
        "    if not dry_run:",
        "    if True:",
        "tests/weakspot/capture/test_redact_stored.py",
    ),
    Fault(
        "the keys of this process are shown to a teacher",
        "src/weakspot/teachers.py",
        "question = self._without_keys(question)",
        "pass",
        "tests/weakspot/test_teachers.py::test_keys_that_somebody_showed_to_an_agent_are_not_shown_to_a_teacher",
    ),
    Fault(
        "a teacher's redirection is followed with the key",
        "src/weakspot/teachers.py",
        "allow_redirects=False,",
        "allow_redirects=True,",
        "tests/weakspot/test_teachers.py::test_a_redirection_is_not_followed",
    ),
    Fault(
        "prices are of a thousand tokens",
        "src/weakspot/teachers.py",
        "zip(prices, counts, strict=True)) / 1e6",
        "zip(prices, counts, strict=True)) / 1e3",
        "tests/weakspot/test_teachers.py::test_the_cost_is_known_where_prices_and_counts_are",
    ),
    Fault(
        "an answer that did not come to its end is kept as whole",
        "src/weakspot/capture/consultation.py",
        '({} if answer.complete else {"incomplete": True})',
        "{}",
        "tests/weakspot/capture/test_consultation.py",
    ),
    # --- protocols
    Fault(
        "the line feed of a CR LF that was cut apart ends a line of its own",
        "src/weakspot/protocols/sse.py",
        'self._after_cr, text.endswith("\\r")',
        "self._after_cr, False",
        "tests/weakspot/protocols/test_sse.py",
    ),
    Fault(
        "an answer that ended for an unknown reason is whole",
        "src/weakspot/protocols/openai_chat.py",
        '_REASONS.get(self._reason, "length")',
        '_REASONS.get(self._reason, "stop")',
        "tests/weakspot/protocols/test_openai_chat.py",
    ),
    Fault(
        "cached tokens are read for nothing",
        "src/weakspot/protocols/anthropic_messages.py",
        '("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")',
        '("input_tokens",)',
        "tests/weakspot/protocols/test_anthropic_messages.py",
    ),
    Fault(
        "a refusal is a whole answer",
        "src/weakspot/protocols/parts.py",
        'in ("stop", "tool_calls")',
        'in ("stop", "tool_calls", "refused")',
        "tests/weakspot/protocols/test_parts.py",
    ),
    Fault(
        "a stream that was cut has an end",
        "src/weakspot/protocols/reading.py",
        "if (finished := self._final_part()) is not None:\n            yield finished",
        'yield self._final_part() or Finished("stop")',
        "tests/weakspot/protocols/test_openai_chat.py tests/weakspot/protocols/test_reading.py",
    ),
    Fault(
        "what tools found is not joined to the user's next words",
        "src/weakspot/protocols/anthropic_requests.py",
        'if turns and turns[-1]["role"] == role:',
        'if turns and turns[-1]["role"] == role == "assistant":',
        "tests/weakspot/protocols/test_anthropic_requests.py",
    ),
    # --- the gateway
    Fault(
        "pages of other sites may use the gateway",
        "src/weakspot/access/request_guard.py",
        "return is_listed(facts.origin, rules.origins)",
        "return True",
        "tests/weakspot/gateway/test_middleware.py::test_a_browser_s_cross_site_post_spends_no_money",
    ),
    Fault(
        "any name leads to the servers",
        "src/weakspot/access/request_guard.py",
        'return name == "localhost" or name in names or _is_address(name)',
        "return True",
        "tests/weakspot/access/test_request_guard.py",
    ),
    Fault(
        "one request fewer than the settings say is let in",
        "src/weakspot/gateway/middleware.py",
        "if self._in_flight >= self._most:",
        "if self._in_flight + 1 >= self._most:",
        "tests/weakspot/gateway/test_middleware.py::test_too_many_at_once_are_told_to_come_again_and_are_served_then",
    ),
    Fault(
        "the words of a bug's error are logged",
        "src/weakspot/gateway/middleware.py",
        "request.method, request.path, type(error).__name__, where",
        "request.method, request.path, error, where",
        "tests/weakspot/gateway/test_middleware.py::test_a_bug_of_ours_is_an_error_of_each_protocol_and_logged_without_what_was_said",
    ),
    Fault(
        "another host's name may hide in a path",
        "src/weakspot/gateway/upstream.py",
        'if not path.startswith("/"):',
        "if not path:",
        "tests/weakspot/gateway/test_upstream.py",
    ),
    Fault(
        "the client's key goes on beside that of the settings",
        "src/weakspot/gateway/upstream.py",
        "return bool(self.key) or self._withholds_keys",
        "return self._withholds_keys",
        "tests/weakspot/gateway/test_upstream.py",
    ),
    Fault(
        "the client sees the end before the record is on the disk",
        "src/weakspot/gateway/consult.py",
        'await asyncio.shield(self._finish_consultation(one, "answered" if one.answer.complete else "cut"))',
        'self._finish_consultation(one, "answered" if one.answer.complete else "cut")',
        "tests/weakspot/gateway/test_consult.py::test_the_record_is_on_the_disk_before_the_client_sees_the_end",
    ),
    Fault(
        "a call keeps an id that another has",
        "src/weakspot/protocols/turns.py",
        "sent if isinstance(sent, str) and sent and sent not in taken else",
        "sent if isinstance(sent, str) and sent else",
        "tests/weakspot/protocols/test_turns.py",
    ),
    Fault(
        "a later system message moves to the front",
        "src/weakspot/protocols/turns.py",
        'leading = list(takewhile(lambda one: one.get("role") in _SYSTEM, messages))',
        'leading = [one for one in messages if one.get("role") in _SYSTEM]',
        "tests/weakspot/protocols/test_turns.py",
    ),
    Fault(
        "an answer keeps the thoughts before it",
        "src/weakspot/protocols/turns.py",
        'thoughts, found["content"] = _split_content(content)',
        "thoughts = _split_content(content)[0]",
        "tests/weakspot/protocols/test_turns.py",
    ),
    Fault(
        "a tool's result as text is a question of the user",
        "src/weakspot/capture/frames.py",
        'return self.holds == "result"',
        "return False",
        "tests/weakspot/capture/test_frames.py",
    ),
    Fault(
        "what stands between a tag of context is the user's",
        "src/weakspot/capture/frames.py",
        "yield text[place : start.start()]",
        "yield text[place : end]",
        "tests/weakspot/capture/test_frames.py",
    ),
    Fault(
        "what a frame held is not looked at for other frames",
        "src/weakspot/capture/frames.py",
        "                may_begin = table.begins.match(text)\n",
        "",
        "tests/weakspot/capture/test_frames.py",
    ),
    Fault(
        "what has become an interaction is tried again",
        "src/weakspot/capture/unfitted.py",
        "{*load_decisions(workspace).forgotten, *_stored_ids(workspace)}",
        "{*load_decisions(workspace).forgotten}",
        "tests/weakspot/capture/test_unfitted.py",
    ),
    Fault(
        "what was forgotten is tried again",
        "src/weakspot/capture/unfitted.py",
        "{*load_decisions(workspace).forgotten, *_stored_ids(workspace)}",
        "{*_stored_ids(workspace)}",
        "tests/weakspot/capture/test_unfitted.py",
    ),
    Fault(
        "a bug of ours costs what was paid for",
        "src/weakspot/capture/consultation.py",
        "except Exception as error:  # a bug",
        "except LookupError as error:  # a bug",
        "tests/weakspot/capture/test_unfitted.py",
    ),
    Fault(
        "a full disk is taken for a misfit",
        "src/weakspot/capture/consultation.py",
        "        raise  # the disk's, which a retry may mend",
        '        reason, detail = "disk", ""',
        "tests/weakspot/capture/test_unfitted.py",
    ),
    Fault(
        "the title of a conversation is a consultation",
        "src/weakspot/capture/consultation.py",
        "if trigger is not None and conversation.is_client_request:",
        "if False:",
        "tests/weakspot/capture/test_consultation.py",
    ),
    Fault(
        "thoughts are stored with their secrets",
        "src/weakspot/capture/recorder.py",
        "thoughts=cleaned, of=of)",
        "thoughts=thoughts, of=of)",
        "tests/weakspot/capture/test_recorder.py",
    ),
    Fault(
        "a notice is told again",
        "src/weakspot/gateway/consult.py",
        " or was_noticed(one.conversation):",
        ":",
        "tests/weakspot/gateway/test_consult_kept.py",
    ),
    Fault(
        "a response is remembered that may not be stored",
        "src/weakspot/gateway/app.py",
        'if body.get("store") is not False:',
        "if True:",
        "tests/weakspot/gateway/test_app_responses.py",
    ),
    Fault(
        "remembered responses grow without end",
        "src/weakspot/gateway/response_cache.py",
        "while self._bytes > self._most_bytes:",
        "while False:",
        "tests/weakspot/gateway/test_response_cache.py",
    ),
    Fault(
        "a streamed response is forgotten",
        "src/weakspot/protocols/responses.py",
        "self._keep(self._response)\n        return self._event(",
        "return self._event(",
        "tests/weakspot/protocols/test_responses.py",
    ),
    Fault(
        "the items of a response overlap",
        "src/weakspot/protocols/responses.py",
        "case _ if self._call is not None:",
        "case _ if False:",
        "tests/weakspot/protocols/test_responses.py",
    ),
    Fault(
        "a call of a custom tool comes back as one of a function",
        "src/weakspot/protocols/responses.py",
        "if form.is_custom:",
        "if False:",
        "tests/weakspot/protocols/test_responses.py",
    ),
    Fault(
        "a body of too many values is parsed",
        "src/weakspot/gateway/schemas.py",
        "> _MOST_VALUES:",
        "> 100 * _MOST_VALUES:",
        "tests/weakspot/gateway/test_schemas.py",
    ),
    Fault(
        "a request may have any number of messages",
        "src/weakspot/gateway/schemas.py",
        "len(found) > _MOST_ITEMS",
        "False",
        "tests/weakspot/gateway/test_schemas.py",
    ),
    Fault(
        "a note stands between a call and its result",
        "src/weakspot/protocols/responses_requests.py",
        "if identity in self._waiting:",
        "if False:",
        "tests/weakspot/protocols/test_responses_requests.py",
    ),
    Fault(
        "a strict server gets turns as they were sent",
        "src/weakspot/gateway/local_model.py",
        "strict_turns(messages)",
        "messages",
        "tests/weakspot/gateway/test_consult_kept.py",
    ),
    Fault(
        "a message that is heard is counted as not heard",
        "src/weakspot/capture/trigger_phrases.py",
        "if len(words) > _SHORT or parse_trigger(config, words) is not None:",
        "if len(words) > _SHORT:",
        "tests/weakspot/capture/test_trigger_phrases.py",
    ),
    Fault(
        "a wish that is taken back is a wish",
        "src/weakspot/capture/trigger_phrases.py",
        "if grammar.withdrawal.match(rest):",
        "if rest is None:",
        "tests/weakspot/capture/test_trigger_phrases.py",
    ),
    # --- trust
    Fault(
        "who agreed for one workspace agreed for all",
        "src/weakspot/trust/agreements.py",
        "if one.workspace == root:",
        "if True:",
        "tests/weakspot/trust/test_agreements.py",
    ),
    Fault(
        "settings that everybody may write to count",
        "src/weakspot/trust/ownership.py",
        "if found.st_mode & stat.S_IWOTH:",
        "if found.st_mode < 0:",
        "tests/weakspot/trust/test_ownership.py",
    ),
    Fault(
        "what the disk refused once more is lost",
        "src/weakspot/gateway/write_queue.py",
        "self._pending.appendleft(task)",
        "pass",
        "tests/weakspot/gateway/test_write_queue.py",
    ),
    Fault(
        "a release gets the share of the others",
        "src/weakspot/gateway/routing.py",
        "< release.share * 2**64",
        "> release.share * 2**64",
        "tests/weakspot/gateway/test_routing.py",
    ),
    Fault(
        "local answers are remembered without a bound",
        "src/weakspot/gateway/answer_cache.py",
        "while self._bytes > self._most_bytes:",
        "while self._bytes < 0:",
        "tests/weakspot/gateway/test_answer_cache.py",
    ),
    Fault(
        "an adapter is shown past answers",
        "src/weakspot/gateway/local_model.py",
        "if self._index is not None and route.release is None:",
        "if self._index is not None:",
        "tests/weakspot/gateway/test_local_model.py",
    ),
    Fault(
        "the server's key is shown in its own error",
        "src/weakspot/gateway/passthrough.py",
        "body=upstream.without_key(await read_body(answer))",
        "body=await read_body(answer)",
        "tests/weakspot/gateway/test_passthrough.py::test_an_error_does_not_name_our_key_to_the_server",
    ),
    Fault(
        "a client's key that was removed still opens",
        "src/weakspot/access/client_keys.py",
        "                known.pop(one.client, None)",
        "                pass",
        "tests/weakspot/access/test_client_keys.py tests/weakspot/access/test_request_guard.py",
    ),
    Fault(
        "a key that is nobody's is like none",
        "src/weakspot/access/request_guard.py",
        "        if None in clients or len(",
        "        if len(",
        "tests/weakspot/access/test_request_guard.py",
    ),
    Fault(
        "a named client's other key goes on to the local server",
        "src/weakspot/gateway/upstream.py",
        "self._has_login or client_of(request) is not None or _is_for_provider(kept)",
        "self._has_login or _is_for_provider(kept)",
        "tests/weakspot/gateway/test_upstream.py::test_a_key_of_a_named_client_is_not_passed_on_in_any_header",
    ),
    Fault(
        "what a teacher's limit forbids is taken from the client",
        "src/weakspot/teachers.py",
        "                await self._settle(reserved, None)\n                seconds",
        "                seconds",
        "tests/weakspot/gateway/test_consult_clients.py",
    ),
    Fault(
        "a client has no limit of its own",
        "src/weakspot/teachers.py",
        "(client.account, client.limits, ",
        "(client.account, Limits(), ",
        "tests/weakspot/gateway/test_consult_clients.py",
    ),
    Fault(
        "the doctor asks a server that nobody agreed to",
        "src/weakspot/pipeline/doctor.py",
        "    if not all(found.reason for found in standings(",
        "    if not any(found for found in standings(",
        "tests/weakspot/pipeline/test_doctor.py::test_what_nobody_agreed_to_is_not_asked",
    ),
    Fault(
        "the doctor mends what it looks at",
        "src/weakspot/storage/permissions.py",
        "    return [path for path in _walk(parts) if _wrong_mode(path, group=group) is not None]",
        "    return [path for path in _walk(parts) if _change_mode(path, group=group)]",
        "tests/weakspot/pipeline/test_doctor.py::test_all_sections_are_there_and_nothing_is_changed",
    ),
    Fault(
        "what is forgotten first may not be learned anew",
        "src/weakspot/cli/curate.py",
        "        loading.require_libraries()  # before anything is erased",
        "        pass",
        "tests/weakspot/pipeline/test_forget.py::test_without_what_training_needs_nothing_is_forgotten",
    ),
    Fault(
        "an adapter is trained anew with the settings of the day",
        "src/weakspot/pipeline/forget.py",
        "            own = _settings_of(adapters.read_manifest(workspace, name), config)",
        "            own = config",
        "tests/weakspot/pipeline/test_forget.py::"
        "test_the_adapter_that_learned_from_it_is_trained_anew_without_it_with_its_own_settings",
    ),
    # --- what the model sees
    Fault(
        "the end of the turn is not under loss",
        "src/weakspot/models/chat_template.py",
        "return target[: run.start() + next(ends, closing[-1]).end()]",
        "return target[: run.start() + next(ends, closing[-1]).start()]",
        "tests/weakspot/models/test_tokenization.py::test_the_trained_text_is_the_expert_answer_and_its_end_of_turn",
    ),
    Fault(
        "the loss begins one token late",
        "src/weakspot/models/tokenization.py",
        "(*context, *target[:room]), len(context), dropped",
        "(*context, *target[:room]), len(context) + 1, dropped",
        "tests/weakspot/models/test_tokenization.py::test_the_trained_text_is_the_expert_answer_and_its_end_of_turn",
    ),
    Fault(
        "a cut answer ends with the end of its turn",
        "src/weakspot/models/tokenization.py",
        "*target[:room]), len",
        "*target[: room - 1], target[-1]), len",
        "tests/weakspot/models/test_tokenization.py::test_a_cut_answer_does_not_teach_to_stop",
    ),
    Fault(
        "a text may hold a control token",
        "src/weakspot/models/rendering.py",
        "for token in known.tokens if token in message.text), None):",
        "for token in known.tokens if token == message.text), None):",
        "tests/weakspot/models/test_tokenization.py::test_a_text_with_a_control_token_is_left_out",
    ),
    Fault(
        "a preset touches gates",
        "src/weakspot/models/target_modules.py",
        "return not router and self.last != _FOLDED",
        "return self.last != _FOLDED",
        "tests/weakspot/models/test_target_modules.py",
    ),
    Fault(
        "an adapter that covers a few layers only is let through",
        "src/weakspot/models/target_modules.py",
        "if 2 * len(covered) < layers:",
        "if not covered:",
        "tests/weakspot/models/test_target_modules.py::test_thin_cover_is_refused_with_the_preset_that_helps",
    ),
    Fault(
        "a merge takes the adapter away instead of adding it",
        "src/weakspot/models/merge.py",
        "weight += (up.float()",
        "weight -= (up.float()",
        "tests/weakspot/models/test_merge.py",
    ),
    Fault(
        "an adapter is merged into a quantised layer",
        "src/weakspot/models/merge.py",
        "if tensor.dtype not in _DTYPES:",
        "if not tensor.dtype:",
        "tests/weakspot/models/test_merge.py::test_a_quantised_layer_is_refused",
    ),
    Fault(
        "alpha is stored as the rank",
        "src/weakspot/training/adapter_export.py",
        '"r": lora.rank,',
        '"r": lora.alpha,',
        "tests/weakspot/models/test_adapter_files.py::test_the_settings_are_those_that_peft_itself_would_mean",
    ),
    Fault(
        "a base is known by the names of its tensors alone",
        "src/weakspot/models/weight_files.py",
        "found.update(streams[one.file].read(size))",
        "streams[one.file].read(size)",
        "tests/weakspot/models/test_weight_files.py",
    ),
    Fault(
        "weights that are stored twice are copied into a merged model",
        "src/weakspot/models/weight_files.py",
        "return file not in weights and (file.suffix",
        "return not weights and (file.suffix",
        "tests/weakspot/models/test_weight_files.py",
    ),
    Fault(
        "weights that a file does not hold are made up",
        "src/weakspot/models/loading.py",
        'if missing := sorted(report["missing_keys"]):',
        'if missing := sorted(report["missing_keys"])[:0]:',
        "tests/weakspot/models/test_loading.py::test_weights_that_are_not_there_are_not_made_up",
    ),
    Fault(
        "the values that vLLM would lose are passed over",
        "src/weakspot/models/vllm_names.py",
        'elif general == "self_attn.k_proj" and _keys_are_values(text, int(number)):',
        'elif general == "self_attn.k_proj" and not number:',
        "tests/weakspot/models/test_vllm_names.py",
    ),
    # --- the engine
    Fault(
        "the mask of the loss is shifted by one",
        "src/weakspot/training/packing.py",
        "range(begin + tokens.start - 1, len(ids) - 1)",
        "range(begin + tokens.start, len(ids))",
        "tests/weakspot/training/test_packing.py::test_the_rows_kept_are_those_whose_next_token_is_under_loss"
        " tests/weakspot/training/test_logprobs.py",
    ),
    Fault(
        "a second answer stands where the first one ends",
        "src/weakspot/training/packing.py",
        "range(tokens.start, tokens.start + len(tokens.rejected))",
        "range(len(tokens.ids), len(tokens.ids) + len(tokens.rejected))",
        "tests/weakspot/training/test_packing.py",
    ),
    Fault(
        "a row is packed past the budget",
        "src/weakspot/training/packing.py",
        "insort(room, (left - length, number))",
        "insort(room, (left, number))",
        "tests/weakspot/training/test_packing_bins.py",
    ),
    Fault(
        "the gradient of the logits has the wrong sign",
        "src/weakspot/training/chunked_cross_entropy.py",
        "torch.full_like(total, -1.0)",
        "torch.full_like(total, 1.0)",
        "tests/weakspot/training/test_chunked_cross_entropy.py",
    ),
    Fault(
        "a window of attention is one token too wide",
        "src/weakspot/models/packed_attention.py",
        "& (behind < sliding_window)",
        "& (behind <= sliding_window)",
        "tests/weakspot/models/test_packed_attention.py::test_a_mask_shows_a_second_answer_the_prompt_and_itself_up_to_the_window",
    ),
    Fault(
        "a fresh adapter changes the base",
        "src/weakspot/training/lora_layout.py",
        "torch.zeros(shape, dtype",
        "torch.ones(shape, dtype",
        "tests/weakspot/training/test_lora_layers.py::test_a_fresh_adapter_changes_nothing_and_its_first_matrix_is_drawn_as_peft_draws_it",
    ),
    Fault(
        "the base is trained as well",
        "src/weakspot/training/lora_layers.py",
        "    model.requires_grad_(False)\n",
        "",
        "tests/weakspot/training/test_lora_layers.py::test_only_the_adapters_are_trained",
    ),
    Fault(
        "all layers have the same noise",
        "src/weakspot/training/lora_layout.py",
        "(seed * 1_000_003 + number) % 2**63",
        "(seed * 1_000_003) % 2**63",
        "tests/weakspot/training/test_lora_layers.py::test_what_is_shared_is_drawn_once_also_by_several_adapters",
    ),
    Fault(
        "what dropout leaves out is not made up for",
        "src/weakspot/training/lora_matmul.py",
        "(1 - settings.dropout if dropout else 1)",
        "1",
        "tests/weakspot/training/test_lora_layers.py::test_dropout_leaves_out_its_share_of_an_adapters_input_and_makes_up_for_it",
    ),
    Fault(
        "the gradient of A is not scaled",
        "src/weakspot/training/lora_matmul.py",
        "gh = (gy @ b.to(g.dtype)).mul_(scale)",
        "gh = gy @ b.to(g.dtype)",
        "tests/weakspot/training/test_lora_layers.py::test_outputs_and_gradients_are_those_of_pefts_own_lora",
    ),
    Fault(
        "an expert's output is not weighted",
        "src/weakspot/training/lora_moe.py",
        'product(inner, "down_proj") * weights[tokens, places, None].to(hidden.dtype)',
        'product(inner, "down_proj")',
        "tests/weakspot/training/test_lora_moe.py::test_outputs_and_gradients_are_those_of_experts_with_changed_weights",
    ),
    Fault(
        "the preference for the expert's answer has the wrong sign",
        "src/weakspot/training/objectives.py",
        "(rejected - scored.references[1]) - (chosen - scored.references[0])",
        "(chosen - scored.references[0]) - (rejected - scored.references[1])",
        "tests/weakspot/training/test_objectives.py",
    ),
    Fault(
        "the first step has no rate",
        "src/weakspot/training/schedule.py",
        "peak * (step + 1) / self.warmup",
        "peak * step / self.warmup",
        "tests/weakspot/training/test_schedule.py",
    ),
    Fault(
        "every epoch has the same order",
        "src/weakspot/training/schedule.py",
        "seed * 1_000_003 + epoch)",
        "seed * 1_000_003)",
        "tests/weakspot/training/test_schedule.py",
    ),
    Fault(
        "a checkpoint of other data or settings is gone on from",
        "src/weakspot/training/adapter_trainer.py",
        'if checkpoints.load_state(folder, n)["fingerprint"] == self.run.fingerprint',
        'if checkpoints.load_state(folder, n)["fingerprint"]',
        "tests/weakspot/pipeline/test_train_resume.py",
    ),
    Fault(
        "the fingerprint of a run leaves out its data",
        "src/weakspot/pipeline/train.py",
        '"data": [(tokens.ids, tokens.rejected) for tokens in (*one.data, *one.val)],',
        '"data": len(one.data) + len(one.val),',
        "tests/weakspot/pipeline/test_train_resume.py",
    ),
    Fault(
        "the fingerprint of a run leaves out its settings",
        "src/weakspot/pipeline/train.py",
        '"train": train_.model_dump(),\n        "lora": lora_.model_dump(),\n        "data"',
        '"data"',
        "tests/weakspot/pipeline/test_train_resume.py",
    ),
    Fault(
        "the fingerprint of a run leaves out its base",
        "src/weakspot/pipeline/train.py",
        'return f"{weights}-{hashlib',
        'return f"weights-{hashlib',
        "tests/weakspot/pipeline/test_train_resume.py",
    ),
    Fault(
        "an unfinished run begins anew",
        "src/weakspot/training/loop.py",
        "        if steps:\n",
        "        if not steps:\n",
        "tests/weakspot/pipeline/test_train_resume.py",
    ),
    Fault(
        "an adapter's manifest is not brought to the disk",
        "src/weakspot/pipeline/train.py",
        "atomic.write_atomically(workspace.adapter_manifest(one.name), manifest.to_document())",
        "workspace.adapter_manifest(one.name).write_bytes(manifest.to_document())",
        "tests/weakspot/pipeline/test_train_disk.py",
    ),
    Fault(
        "an adapter's weights are not brought to the disk",
        "src/weakspot/training/adapter_export.py",
        "    atomic.sync_tree(folder)\n",
        "",
        "tests/weakspot/pipeline/test_train_disk.py",
    ),
    Fault(
        "the moments of the optimiser are not gone on with",
        "src/weakspot/training/adapter_trainer.py",
        "self._optimizer.state[parameter][part] = value.to(parameter.device)",
        "del parameter",
        "tests/weakspot/training/test_loop.py::test_an_interrupted_run_ends_with_the_same_bits[6]"
        " tests/weakspot/training/test_loop.py::test_an_interrupted_run_ends_with_the_same_bits",
    ),
    Fault(
        "the last weights are kept, not the best",
        "src/weakspot/training/adapter_trainer.py",
        "for name, value in self._best.items():\n                self._parameters[name].copy_(value)",
        "pass",
        "tests/weakspot/training/test_adapter_trainer.py",
    ),
    Fault(
        "training stops one val loss late",
        "src/weakspot/training/adapter_trainer.py",
        "self.run.settings.early_stopping_patience <= state.worse",
        "self.run.settings.early_stopping_patience < state.worse",
        "tests/weakspot/training/test_adapter_trainer.py",
    ),
    Fault(
        "a gradient is not clipped",
        "src/weakspot/training/adapter_trainer.py",
        "self._parameters.values(), settings.max_grad_norm)",
        'self._parameters.values(), float("inf"))',
        "tests/weakspot/training/test_adapter_trainer.py",
    ),
    Fault(
        "older checkpoints go before those of the other adapters are written",
        "src/weakspot/training/loop.py",
        "        learner.save()\n    for learner in learners:\n        checkpoints.remove_other_steps",
        "        learner.save()\n        checkpoints.remove_other_steps",
        "tests/weakspot/training/test_loop_checkpoints.py",
    ),
    Fault(
        "a checkpoint is written over where it stands",
        "src/weakspot/training/checkpoints.py",
        'temporary = file.with_suffix(".tmp")',
        "temporary = file",
        "tests/weakspot/training/test_checkpoints.py",
    ),
    Fault(
        "the two numbers of a byte of NVFP4 are swapped",
        "src/weakspot/models/quantised_weights.py",
        "torch.stack((numbers[bytes_ & 15], numbers[bytes_ >> 4]), 1)",
        "torch.stack((numbers[bytes_ >> 4], numbers[bytes_ & 15]), 1)",
        "tests/weakspot/models/test_quantised_weights.py",
    ),
    Fault(
        "a tie between two numbers of NVFP4 goes up",
        "src/weakspot/models/quantised_weights.py",
        "code = (size > 0.25)",
        "code = (size >= 0.25)",
        "tests/weakspot/models/test_quantised_weights.py",
    ),
    Fault(
        "gate and up of an expert have scales of their own",
        "src/weakspot/models/quantise_experts.py",
        'return re.sub(r"\\.(gate|up)_proj$", ".gate_up", self.layer)',
        "return self.layer",
        "tests/weakspot/models/test_quantise_experts.py",
    ),
    Fault(
        "a change of the type changes the bits of frozen layers",
        "src/weakspot/models/frozen_layers.py",
        "bits = {name: self._buffers.pop(name) for name in self.parts}",
        "bits: dict[str, torch.Tensor | None] = {}",
        "tests/weakspot/models/test_frozen_layers.py",
    ),
    Fault(
        "no object is collected any more after a plan",
        "src/weakspot/models/garbage_collector.py",
        "        if was_enabled:\n",
        "        if not was_enabled:\n",
        "tests/weakspot/models/test_garbage_collector.py",
    ),
    Fault(
        "objects are looked for all through a plan",
        "src/weakspot/models/garbage_collector.py",
        "    gc.disable()\n",
        "    pass\n",
        "tests/weakspot/models/test_garbage_collector.py",
    ),
    Fault(
        "a command of the settings runs unasked",
        "src/weakspot/trust/recipients.py",
        'return [*(Recipient(f"{_COMMAND}{one}", "") for one in commands), *server_recipients(config, sleeping)]',
        "return server_recipients(config, sleeping)",
        "tests/weakspot/trust/test_agreements.py",
    ),
    Fault(
        "a server is not woken after a training that failed",
        "src/weakspot/pipeline/gpu_handover.py",
        "back.callback(vllm_sleep.wake_up, config)",
        "pass",
        "tests/weakspot/pipeline/test_gpu_handover.py",
    ),
    Fault(
        "one layer too many is recomputed",
        "src/weakspot/training/activation_memory.py",
        "layer.gradient_checkpointing = number < count",
        "layer.gradient_checkpointing = number <= count",
        "tests/weakspot/training/test_memory_plan.py::test_layers_are_recomputed_from_the_first_on",
    ),
    Fault(
        "a row is done by several processes",
        "src/weakspot/training/distributed.py",
        "dealt[self.number :: self.count]",
        "dealt[self.number :]",
        "tests/weakspot/training/test_distributed.py::test_every_row_counts_once_and_a_spread_base_keeps_step",
    ),
    Fault(
        "the better half of a sweep leaves",
        "src/weakspot/training/sweep.py",
        "members.sort(key=_best_loss)",
        "members.sort(key=_best_loss, reverse=True)",
        "tests/weakspot/training/test_sweep.py::test_the_worse_half_leaves_at_a_fifth_and_half_of_the_rest_at_two_fifths",
    ),
    # --- the stages
    Fault(
        "a copy brings back what a person mended",
        "src/weakspot/pipeline/process.py",
        "ids_by_content[captured] = ids_by_content[content] = example.id",
        "ids_by_content[content] = example.id",
        "tests/weakspot/pipeline/test_process_decisions.py",
    ),
    Fault(
        "an assignment ends with its example",
        "src/weakspot/pipeline/process.py",
        "{**recorded, **{a.interaction_id: a for a in dataset.assignments}}",
        "{a.interaction_id: a for a in dataset.assignments}",
        "tests/weakspot/pipeline/test_process.py::test_an_assignment_outlives_its_example",
    ),
    Fault(
        "a file of the dataset is not brought to the disk",
        "src/weakspot/pipeline/process.py",
        "atomic.write_atomically(file, files[file])",
        "file.parent.mkdir(exist_ok=True), file.write_bytes(files[file])",
        "tests/weakspot/pipeline/test_train_disk.py",
    ),
    Fault(
        "a test example that was trained on is tested on",
        "src/weakspot/pipeline/evaluate.py",
        "if example.id in trained]\n    if seen:",
        "if example.id in trained]\n    if not trained:",
        "tests/weakspot/pipeline/test_evaluate.py::test_an_example_that_was_trained_on_is_never_tested_on",
    ),
    Fault(
        "the local answer is preferred where the expert's is",
        "src/weakspot/evaluation/scoring.py",
        "adapter_margin=adapter.local - adapter.expert",
        "adapter_margin=adapter.expert - adapter.local",
        "tests/weakspot/evaluation/test_scoring.py::test_a_batch_is_measured_as_each_example_alone",
    ),
    Fault(
        "a rejected adapter is deployed where the unproven are allowed",
        "src/weakspot/pipeline/deploy.py",
        'if card is not None and card.verdict == "reject":',
        'if card is not None and card.verdict == "reject" and not allow_unproven:',
        "tests/weakspot/pipeline/test_deploy.py::test_a_rejected_adapter_is_refused_also_when_unproven_is_allowed",
    ),
    Fault(
        "failures of the dataset are warnings",
        "src/weakspot/pipeline/validate.py",
        '"failures" if "failure" in levels else',
        '"warnings" if "failure" in levels else',
        "tests/weakspot/pipeline/test_validate.py",
    ),
    Fault(
        "weights that were changed since are not noticed",
        "src/weakspot/models/adapters.py",
        "in atomic.changed_files(workspace.adapter(name), manifest.files) if verify else ():",
        "in (workspace.adapter(name) / one for one in manifest.files if not (workspace.adapter(name) / one).exists()):",
        "tests/weakspot/models/test_adapters.py::test_weights_that_were_changed_since_are_told",
    ),
    Fault(
        "a scorecard of other weights counts",
        "src/weakspot/models/adapters.py",
        "return card if card.adapter_sha256 == atomic.sha256(weights) else None",
        "return card if weights.exists() else None",
        "tests/weakspot/pipeline/test_evaluate.py::test_a_scorecard_of_other_weights_does_not_count",
    ),
    Fault(
        "an adapter that was not accepted is deployed by itself",
        "src/weakspot/pipeline/run.py",
        'if card.verdict != "accept":',
        'if card.verdict == "reject":',
        "tests/weakspot/pipeline/test_run.py::test_a_new_workspace_goes_through_all_stages",
    ),
    # --- the gate and what is told of it
    Fault(
        "a rise within the tolerance is harm",
        "src/weakspot/evaluation/gate.py",
        'c.outcome == "worse" and c.difference > settings.max_harm',
        'c.outcome == "worse" and c.difference > 0',
        "tests/weakspot/evaluation/test_gate.py::test_a_rise_within_the_tolerance_is_no_harm",
    ),
    Fault(
        "a lower loss is worse",
        "src/weakspot/evaluation/gate.py",
        'outcome = "better" if mean < 0 else "worse"',
        'outcome = "better" if mean > 0 else "worse"',
        "tests/weakspot/evaluation/test_gate.py::test_a_clear_gain_is_accepted"
        " tests/weakspot/evaluation/test_gate.py::test_a_clear_loss_is_rejected",
    ),
    Fault(
        "five examples decide",
        "src/weakspot/evaluation/gate.py",
        "if p <= significance and not low <= 0 <= high:",
        "if not low <= 0 <= high:",
        "tests/weakspot/evaluation/test_gate.py::test_five_examples_never_decide",
    ),
    Fault(
        "a worse preference does not reject",
        "src/weakspot/evaluation/gate.py",
        "c.metric in (PREFERENCE, TOOLS)",
        "c.metric == TOOLS",
        "tests/weakspot/evaluation/test_gate.py::test_preferring_the_local_answer_more_than_before_is_rejected",
    ),
    Fault(
        "training is set beside the bare base, not beside retrieval",
        "src/weakspot/evaluation/retrieval_baseline.py",
        '("base + retrieval", "adapter"),\n',
        '("base", "adapter"),\n',
        "tests/weakspot/evaluation/test_retrieval_baseline.py",
    ),
    Fault(
        "a judge who looks at the place only is believed",
        "src/weakspot/evaluation/judge.py",
        'adapter_first in ("A", "SAME")',
        'adapter_first in ("A", "B", "SAME")',
        "tests/weakspot/evaluation/test_judge.py",
    ),
    Fault(
        "wins and losses are counted the wrong way round",
        "src/weakspot/analytics/savings.py",
        "(row.adapter_loss < row.base_loss) - (row.adapter_loss > row.base_loss)",
        "(row.adapter_loss > row.base_loss) - (row.adapter_loss < row.base_loss)",
        "tests/weakspot/analytics/test_savings.py",
    ),
    Fault(
        "what was asked at the moment of a release came before it",
        "src/weakspot/analytics/release_effects.py",
        "place = bisect_right(self._times[key], event.moment)",
        "place = bisect_right(self._times[key], event.moment) - 1",
        "tests/weakspot/analytics/test_release_effects.py",
    ),
    Fault(
        "weeks begin on Sundays",
        "src/weakspot/analytics/usage.py",
        "timedelta(days=day.weekday())",
        "timedelta(days=day.isoweekday() % 7)",
        "tests/weakspot/analytics/test_usage.py",
    ),
    Fault(
        "the interval of a rate is too wide",
        "src/weakspot/analytics/usage.py",
        "z2 / (4 * of * of)",
        "z2 / (4 * of)",
        "tests/weakspot/analytics/test_usage.py",
    ),
    Fault(
        "a snapshot that was changed since proves something",
        "src/weakspot/analytics/lineage.py",
        "in atomic.changed_files(folder, hashes):",
        "in (folder / name for name in hashes if not (folder / name).exists()):",
        "tests/weakspot/analytics/test_lineage.py::test_what_was_changed_since_proves_nothing",
    ),
    Fault(
        "a near-duplicate of what was trained on is unseen",
        "src/weakspot/evaluation/replay.py",
        "if groups.get(example.id, example.id) in shaped_groups}",
        "if example.id in shaped}",
        "tests/weakspot/evaluation/test_replay.py::test_a_near_duplicate_of_what_was_trained_on_is_seen",
    ),
    Fault(
        "the decision to forget is not written",
        "src/weakspot/pipeline/forget.py",
        '    decide(workspace, config, [(identity, "forget", _content_key(line)) for line in lines])\n',
        "",
        "tests/weakspot/pipeline/test_forget.py::test_it_does_not_come_back_when_it_is_captured_again",
    ),
    Fault(
        "a scorecard keeps the words of what was forgotten",
        "src/weakspot/pipeline/forget.py",
        "        _erase_from_scorecard(workspace, name, identity)\n",
        "",
        "tests/weakspot/pipeline/test_forget.py::test_adapters_that_saw_it_are_marked_and_their_scorecards_lose_its_words",
    ),
    Fault(
        "a window past midnight is never open",
        "src/weakspot/pipeline/watch.py",
        "moment >= start or moment < end",
        "moment >= start and moment < end",
        "tests/weakspot/pipeline/test_watch.py::test_the_window_may_go_past_midnight",
    ),
    Fault(
        "training begins while somebody asks",
        "src/weakspot/pipeline/watch.py",
        "moment - last < timedelta(minutes=settings.idle_minutes)",
        "moment - last > timedelta(minutes=settings.idle_minutes)",
        "tests/weakspot/pipeline/test_watch.py::test_nothing_is_trained_while_somebody_asks",
    ),
    Fault(
        "a domain is due one example late",
        "src/weakspot/pipeline/status.py",
        "if examples - seen >= after:",
        "if examples - seen > after:",
        "tests/weakspot/pipeline/test_status.py",
    ),
    Fault(
        "two releases at once get one number",
        "src/weakspot/deployment/releases.py",
        'with atomic.hold_lock(workspace.releases_lock, "release"):',
        "if True:",
        "tests/weakspot/deployment/test_releases.py",
    ),
    Fault(
        "going back leads to what was gone back from",
        "src/weakspot/deployment/releases.py",
        "while stack and stack[-1].adapter != one.adapter:",
        "if stack and stack[-1].adapter == one.adapter:",
        "tests/weakspot/deployment/test_releases.py",
    ),
    Fault(
        "examples that are too unlike are shown",
        "src/weakspot/retrieval.py",
        "if one.similarity >= self._settings.min_similarity and size <= room:",
        "if size <= room:",
        "tests/weakspot/test_retrieval.py",
    ),
    Fault(
        "the test split is not looked at for what leaks",
        "src/weakspot/checks/quality.py",
        "combinations(SPLITS, 2)",
        "combinations(SPLITS[:2], 2)",
        "tests/weakspot/checks/test_quality.py",
    ),
    Fault(
        "the hash of a file is not checked",
        "src/weakspot/storage/atomic.py",
        "if not (folder / name).is_file() or sha256(folder / name) != expected:",
        "if not (folder / name).is_file():",
        "tests/weakspot/checks/test_integrity.py",
    ),
    # --- what is served
    Fault(
        "a server that answers as the base does is believed",
        "src/weakspot/deployment/parity_check.py",
        "    if undone:\n",
        "    if undone and mean > limit:\n",
        "tests/weakspot/deployment/test_parity_check.py::test_a_fault_is_told_by_its_name",
    ),
    Fault(
        "another prompt than the trained one proves something",
        "src/weakspot/deployment/parity_check.py",
        "            require_same_prompt(one, answer, thing)\n",
        "",
        "tests/weakspot/deployment/test_parity_check.py::test_a_fault_is_told_by_its_name",
    ),
    Fault(
        "a part of an adapter proves the whole",
        "src/weakspot/deployment/parity_check.py",
        "        adapter_effect.require_whole_adapter(effect, thing, limit)\n",
        "",
        "tests/weakspot/deployment/test_parity_check.py::test_a_part_that_is_not_applied_is_told",
    ),
    Fault(
        "an adapter may be as far away as its base is, however sure it is",
        "src/weakspot/deployment/adapter_effect.py",
        "_openness(log for one in answers for log in one.adapter)",
        "_openness(base)",
        "tests/weakspot/deployment/test_adapter_effect.py",
    ),
    Fault(
        "routed experts are left out of what vLLM is told to adapt",
        "src/weakspot/deployment/vllm_command.py",
        'EXPERTS if re.search(r"\\.experts(\\.|$)", one) else one.rpartition(".")[2]',
        'one.rpartition(".")[2]',
        "tests/weakspot/deployment/test_vllm_command.py::test_the_names_are_those_of_every_adapters_tensors",
    ),
    Fault(
        "mlx-lm is given the rows of A as they are",
        "src/weakspot/deployment/targets/mlx.py",
        "tensor.T.contiguous()",
        "tensor.reshape(tensor.T.shape)",
        "tests/weakspot/deployment/targets/test_mlx.py::test_what_is_written_adds_what_was_trained",
    ),
    Fault(
        "a rollback does not look whether the files are there",
        "src/weakspot/pipeline/deploy.py",
        "not releases.missing_files(workspace, release) and ",
        "",
        "tests/weakspot/pipeline/test_deploy.py::test_going_back_to_files_that_are_gone_makes_them_again",
    ),
    Fault(
        "broken tool calls do not count",
        "src/weakspot/evaluation/gate.py",
        "c.metric in (PREFERENCE, TOOLS)",
        "c.metric == PREFERENCE",
        "tests/weakspot/evaluation/test_gate.py",
    ),
    Fault(
        "an adapter that changes nothing is merged",
        "src/weakspot/deployment/targets/merged.py",
        "    parity_check.require_change(expectation, str(name))\n",
        "",
        "tests/weakspot/deployment/targets/test_merged.py::test_an_adapter_that_changes_nothing_is_refused",
    ),
    Fault(
        "a llama's queries keep the order of their rows",
        "src/weakspot/deployment/gguf/architecture.py",
        'if self.name != "llama" or heads is None:',
        'if self.name == "llama" or heads is None:',
        "tests/weakspot/deployment/gguf/test_architecture.py",
    ),
    Fault(
        "a server's key is shown",
        "src/weakspot/deployment/openai_client.py",
        'text = text.replace(self._key, "<API_KEY>") if self._key else text',
        "text = text.strip()",
        "tests/weakspot/deployment/test_openai_client.py",
    ),
    Fault(
        "a rank that vLLM does not take is not told",
        "src/weakspot/deployment/targets/vllm.py",
        "    if rank > highest:",
        "    if rank < 1:",
        "tests/weakspot/deployment/targets/test_vllm_names.py",
    ),
    # --- the pages, the command line and the MCP server
    Fault(
        "the pages need no session",
        "src/weakspot/ui/session_auth.py",
        "session = next((one for one in self._sessions if _same(word, one.word)), None)",
        "session = self._sessions[0] if self._sessions else None",
        "tests/weakspot/ui/test_session_auth.py",
    ),
    Fault(
        "a token opens as often as it is used",
        "src/weakspot/ui/session_auth.py",
        "        self.token = secrets.token_urlsafe(32)\n        self._opened()",
        "        self._opened()",
        "tests/weakspot/ui/test_session_auth.py",
    ),
    Fault(
        "a form needs no word of the page",
        "src/weakspot/ui/session_auth.py",
        'if changes and not _same(str((await request.post()).get("token", "")), session.form_token):',
        "if not session.form_token:",
        "tests/weakspot/ui/test_session_auth.py",
    ),
    Fault(
        "another site's name may lead to the pages",
        "src/weakspot/ui/session_auth.py",
        "self._refuse(request)\n                    or ",
        "",
        "tests/weakspot/ui/test_session_auth.py",
    ),
    Fault(
        "another site decides",
        "src/weakspot/access/request_guard.py",
        'if rules.has_pages and facts.origin == f"http://{facts.host}":',
        "if rules.has_pages:",
        "tests/weakspot/ui/test_session_auth.py",
    ),
    Fault(
        "a page's name leads out of the folder of adapters",
        "src/weakspot/ui/pages.py",
        "return next((found for found in self._workspace.adapter_names() if str(found) == name), None)",
        'return AdapterName.parse(name) if "-lora-v" in name else None',
        "tests/weakspot/ui/test_pages_names.py",
    ),
    Fault(
        "what models wrote is markup",
        "src/weakspot/ui/pages.py",
        "autoescape=True",
        "autoescape=False",
        "tests/weakspot/ui/test_pages.py::test_what_models_wrote_is_text_wherever_it_is_shown",
    ),
    Fault(
        "the pages listen for other machines unasked",
        "src/weakspot/ui/server.py",
        "if not allow_remote and not is_loopback(host):",
        "if not allow_remote and not host:",
        "tests/weakspot/ui/test_server.py::test_where_others_could_connect_it_does_not_listen_unasked",
    ),
    Fault(
        "what was forgotten is still read",
        "src/weakspot/ui/review.py",
        "if entry is None or identity in self.decisions.forgotten:",
        "if entry is None:",
        "tests/weakspot/ui/test_review.py",
    ),
    Fault(
        "warnings end a command with a failure unasked",
        "src/weakspot/cli/pipeline.py",
        '(strict and report.verdict == "warnings")',
        'report.verdict == "warnings"',
        "tests/weakspot/test_cli.py::test_warnings_end_with_status_0_and_with_1_when_strict",
    ),
    Fault(
        "a canary of 10% is ten times everything",
        "src/weakspot/cli/deploy.py",
        '/ (100 if canary.endswith("%") else 1)',
        "/ 1",
        "tests/weakspot/cli/test_deploy.py",
    ),
    Fault(
        "a watch in which something went wrong ends well",
        "src/weakspot/cli/deploy.py",
        "raise typer.Exit(1 if failed else 0)",
        "raise typer.Exit(0)",
        "tests/weakspot/cli/test_deploy.py",
    ),
    Fault(
        "pages of other sites may call the MCP server",
        "src/weakspot/mcp_server.py",
        "uvicorn.Config(guarded,",
        "uvicorn.Config(app,",
        "tests/weakspot/test_mcp_server.py::test_pages_and_names_of_elsewhere_are_kept_out",
    ),
    Fault(
        "the MCP server is not known by the name of its machine",
        "src/weakspot/access/request_guard.py",
        "(*settings.hosts, socket.gethostname(), host)",
        "(*settings.hosts, host)",
        "tests/weakspot/access/test_request_guard.py",
    ),
    # --- zddc
    Fault(
        "a status in small letters is one",
        "src/zddc/naming.py",
        "    if status in STATUSES:\n",
        "    if status.upper() in STATUSES:\n",
        "tests/zddc/test_naming.py",
    ),
    Fault(
        "a tracking number may hold an underscore",
        "src/zddc/naming.py",
        'if "_" in middle:',
        'if "__" in middle:',
        "tests/zddc/test_naming.py",
    ),
    Fault(
        "a draft comes after the final",
        "src/zddc/revision.py",
        "        not read.is_draft,\n",
        "        read.is_draft,\n",
        "tests/zddc/test_revision.py",
    ),
    Fault(
        "two names may be corrected to one",
        "src/zddc/name_check.py",
        "claims[verdict.corrected.casefold()] > 1:",
        "claims[verdict.corrected.casefold()] > 2:",
        "tests/zddc/test_name_check.py",
    ),
    Fault(
        "links to folders are followed",
        "src/zddc/name_check.py",
        "if entry.is_dir(follow_symlinks=False)]",
        "if entry.is_dir()]",
        "tests/zddc/test_name_check.py",
    ),
    Fault(
        "a pattern is a regular expression only, and A+C1 finds no revision",
        "src/zddc/filters.py",
        'before + data + b"|" + as_it_is',
        "before + data",
        "tests/zddc/test_filters.py",
    ),
    Fault(
        "a name is ruled out for a letter that a pattern only may have",
        "src/zddc/filters.py",
        '_NOT_NEEDED = re.compile(r".?[*?+]|',
        '_NOT_NEEDED = re.compile(r"[*?+]|',
        "tests/zddc/archive/test_rows.py",
    ),
    Fault(
        "a negated group is not negated",
        "src/zddc/filters.py",
        "return _negation(condition) if negated else condition",
        "return condition",
        "tests/zddc/test_filters.py",
    ),
    Fault(
        "an older revision takes the place of one that may not be read",
        "src/zddc/archive/resolution.py",
        "final = [one for one in document.revisions if one.is_final_base]",
        "final = [r for r in document.revisions if r.is_final_base and any(may_read(c.entry) for c in r.copies)]",
        "tests/zddc/archive/test_resolution.py",
    ),
    Fault(
        "what was handed in counts before it is checked",
        "src/zddc/archive/index.py",
        'if place_of(listing.path).kind == "incoming":',
        'if place_of(listing.path).kind == "outgoing":',
        "tests/zddc/archive/test_index.py",
    ),
    Fault(
        "a zip that was written again is not read again",
        "src/zddc/archive/index.py",
        "path not in self.listings or is_zip_transmittal(name):",
        "path not in self.listings:",
        "tests/zddc/archive/test_index.py",
    ),
    Fault(
        "a member of a zip may lead out of it",
        "src/zddc/zipped.py",
        "    if _NEVER.search(name):\n",
        '    if name.startswith("/"):\n',
        "tests/zddc/test_zipped.py",
    ),
    # --- the server: who asks, what is given, what is taken
    Fault(
        "anybody sees what only an admin may",
        "src/zddc/server/admin.py",
        "    if not is_admin(policy.chain_of(()), request.email):\n",
        "    if request.email is None:\n",
        "tests/zddc/server/test_admin.py",
    ),
    Fault(
        "a zip is taken for a folder that is not there",
        "src/zddc/zipped.py",
        '    return path.suffix.lower() == ".zip" and path.is_file()\n',
        "    return False\n",
        "tests/zddc/cli/test_verification.py",
    ),
    Fault(
        "a folder is received where it lies, and lost",
        "src/zddc/receiving.py",
        "    _require_elsewhere(incoming, target)\n",
        "    incoming.resolve()\n",
        "tests/zddc/test_receiving.py",
    ),
    Fault(
        "a zip that was replaced meanwhile is removed",
        "src/zddc/receiving.py",
        "        if not source.is_unchanged:\n",
        "        if not source.paths:\n",
        "tests/zddc/test_receiving.py",
    ),
    Fault(
        "members of a zip that share their bytes may unpack to anything",
        "src/zddc/zipped.py",
        "> max(_LARGE, _LARGEST_RATIO * size):\n",
        "> 1 << 60:\n",
        "tests/zddc/test_zipped.py",
    ),
    Fault(
        "a page of ours may be put into a frame of another site",
        "src/zddc/server/answer.py",
        "form-action 'none'; frame-ancestors 'none'",
        "form-action 'none'",
        "tests/zddc/server/test_answer.py",
    ),
    Fault(
        "who may not be told gets another answer than who asks for nothing",
        "src/zddc/server/app.py",
        '        return pages.answer_absent(asked.headers.get("accept", ""), asked.entry["email"])\n',
        '        return answer_text(403 if error.decision else 404, "not found")\n',
        "tests/zddc/server/test_app.py",
    ),
    Fault(
        "a full audit file is thrown away",
        "src/zddc/server/audit.py",
        "                shutil.copyfileobj(full, packed)\n",
        "                pass\n",
        "tests/zddc/server/test_audit.py",
    ),
    Fault(
        "a certificate is not for the address that is served",
        "src/zddc/server/certificates.py",
        '[x509.DNSName("localhost"), x509.IPAddress(ip_address(host))]',
        '[x509.DNSName("localhost")]',
        "tests/zddc/server/test_certificates.py",
    ),
    Fault(
        "a text that is not UTF-8 is told to be",
        "src/zddc/server/content_types.py",
        "    except UnicodeDecodeError:\n        return content_type\n",
        "    except UnicodeDecodeError:\n        pass\n",
        "tests/zddc/server/test_content_types.py tests/zddc/server/test_answers.py",
    ),
    Fault(
        "a file may be handed in under any name",
        "src/zddc/server/drop_names.py",
        '    return "" if file.valid else f',
        '    return "" if file.title else f',
        "tests/zddc/server/test_drop_names.py",
    ),
    Fault(
        "who may not hand in is let in",
        "src/zddc/server/drop_place.py",
        "        if not decision.allowed:\n",
        "        if decision.by is None:\n",
        "tests/zddc/server/test_drop_place.py",
    ),
    Fault(
        "a broken upload is stored as far as it came",
        "src/zddc/server/dropping.py",
        "        if left < 0 or (left and not is_more):\n",
        "        if left < 0:\n",
        "tests/zddc/server/test_dropping.py",
    ),
    Fault(
        "a file is told to be stored before it is on the disk",
        "src/zddc/server/dropping.py",
        "            os.fsync(self._file)\n",
        "            pass\n",
        "tests/zddc/server/test_dropping.py",
    ),
    Fault(
        "a wish that this server does not know is passed over",
        "src/zddc/server/environment.py",
        "        if name in _NOT_HERE:\n",
        "        if False:\n",
        "tests/zddc/server/test_environment.py",
    ),
    Fault(
        "a length may be told twice",
        "src/zddc/server/guard.py",
        '_ONCE = ("host", "content-length", "authorization")',
        '_ONCE = ("host", "authorization")',
        "tests/zddc/server/test_guard.py",
    ),
    Fault(
        "a file that was changed is the one of the old hash",
        "src/zddc/server/hash_links.py",
        "if may_open(entry) and self._digest(entry) == link[1]",
        "if may_open(entry)",
        "tests/zddc/server/test_hash_links.py",
    ),
    Fault(
        "any page of a folder is taken for its transmittal",
        "src/zddc/server/hash_links.py",
        'number and entry.name.startswith(f"{number}_") and entry.name.lower()',
        "number and entry.name.lower()",
        "tests/zddc/server/test_hash_links.py",
    ),
    Fault(
        "a header that an unknown peer sends names a person",
        "src/zddc/server/identity.py",
        "        if not trusts or not named:\n",
        "        if not named:\n",
        "tests/zddc/server/test_identity.py",
    ),
    Fault(
        "the name of a change has its padding",
        "src/zddc/server/inotify.py",
        '.rstrip(b"\\0")',
        "",
        "tests/zddc/server/test_inotify.py",
    ),
    Fault(
        "a listing names folders that somebody may not enter",
        "src/zddc/server/listing.py",
        "        elif stat.S_ISDIR(mode) and _may_enter(folder, chain, policy, email, name):\n",
        "        elif stat.S_ISDIR(mode):\n",
        "tests/zddc/server/test_listing.py",
    ),
    Fault(
        "a name that is not plain is taken for plain among many that are",
        "src/zddc/server/listing.py",
        "are_plain or _is_plain(row.name)",
        "True",
        "tests/zddc/server/test_listing.py",
    ),
    Fault(
        "all statuses are counted as one",
        "src/zddc/server/metrics.py",
        '{{status="{status}"}}',
        '{{status="200"}}',
        "tests/zddc/server/test_metrics.py",
    ),
    Fault(
        "a file is opened without asking the rules",
        "src/zddc/server/opening.py",
        "        return Opened(descriptor, status, chain, _judge(policy, chain, email))\n",
        "        return Opened(descriptor, status, chain, policy.decide(chain, email, READ))\n",
        "tests/zddc/server/test_opening.py",
    ),
    Fault(
        "a page of another site may hand in",
        "src/zddc/server/origins.py",
        'site in ("same-origin", "none")',
        'site != "cross-site"',
        "tests/zddc/server/test_origins.py",
    ),
    Fault(
        "a name that ends with a dot is listed among many that do not",
        "src/zddc/server/paths.py",
        '{".", " "}',
        '{" "}',
        "tests/zddc/server/test_paths.py",
    ),
    Fault(
        "an encoded slash is a part of a name",
        "src/zddc/server/paths.py",
        '    if "/" in name or "\\\\" in name:\n',
        '    if "\\\\" in name:\n',
        "tests/zddc/server/test_paths.py",
    ),
    Fault(
        "anybody may ask what another person may read",
        "src/zddc/server/profile.py",
        "    if given is None or not admin:\n",
        "    if given is None:\n",
        "tests/zddc/server/test_profile.py",
    ),
    Fault(
        "a closed folder is among all files below",
        "src/zddc/server/recursive.py",
        '                if decide(opened[1], email, "r").allowed:\n',
        "                if opened[1]:\n",
        "tests/zddc/server/test_recursive.py",
    ),
    Fault(
        "a server takes the place of one that serves",
        "src/zddc/server/run.py",
        '            raise FileExistsError(0, "another server listens there")\n',
        "            file.unlink()\n",
        "tests/zddc/server/test_run.py",
    ),
    Fault(
        "everybody may be trusted to name a person",
        "src/zddc/server/settings.py",
        "    if network.prefixlen < _WIDEST[network.version]:\n",
        "    if not network.version:\n",
        "tests/zddc/server/test_settings.py",
    ),
    Fault(
        "a file that still comes is taken for what is left of one",
        "src/zddc/server/stale_parts.py",
        "st_mtime < now - STALE_SECONDS",
        "st_mtime < now",
        "tests/zddc/server/test_stale_parts.py",
    ),
    Fault(
        "a weak tag is enough for a part of a file",
        "src/zddc/server/conditions.py",
        "known.strip() != validators.tag",
        'known.strip().removeprefix("W/") != validators.tag',
        "tests/zddc/server/test_conditions.py",
    ),
    Fault(
        "a file that has become shorter ends early",
        "src/zddc/server/answers.py",
        """        if not piece:
            raise CutError("the file has become shorter")
""",
        """        if not piece:
            return
""",
        "tests/zddc/server/test_answers.py",
    ),
    Fault(
        "a file may be another when it is read into a zip",
        "src/zddc/server/zips.py",
        "(status.st_size, status.st_mtime_ns) != (member.size, member.mtime_ns)",
        "status.st_size < member.size",
        "tests/zddc/server/test_zips.py",
    ),
    Fault(
        "one person may take every place",
        "src/zddc/server/app.py",
        "if count >= MOST_OF_ONE:",
        "if count >= MOST_AT_ONCE:",
        "tests/zddc/server/test_app.py",
    ),
    Fault(
        "what nobody wants is not read",
        "src/zddc/server/content.py",
        "while left > 0 and not self._is_read:",
        "while left > _MOST_BYTES and not self._is_read:",
        "tests/zddc/server/test_content.py",
    ),
    Fault(
        "two names that Windows cannot have become one in a zip",
        "src/zddc/server/zips.py",
        "next((one for one in others if one not in taken), path)",
        "next(others)",
        "tests/zddc/server/test_zips.py",
    ),
    Fault(
        "hidden files of a zip are shown",
        "src/zddc/server/zip_members.py",
        'if all(map(is_servable, one.path.split("/")))',
        "if one.path",
        "tests/zddc/server/test_zip_members.py",
    ),
    Fault(
        "a copy of the same size is no conflict",
        "src/zddc/archive/findings.py",
        "same = copy.entry.size == first.size and digest(copy.entry) == digest(first)",
        "same = copy.entry.size == first.size",
        "tests/zddc/archive/test_findings.py",
    ),
    Fault(
        "a cell of a spreadsheet may be a formula",
        "src/zddc/cli/archive.py",
        """return f"'{text}" if text.startswith(_FORMULA)""",
        """return text if text.startswith(_FORMULA)""",
        "tests/zddc/cli/test_archive.py",
    ),
    Fault(
        "a new name may differ from a neighbour's in letter case",
        "src/zddc/windows_names.py",
        'unicodedata.normalize("NFD", name).casefold())',
        'unicodedata.normalize("NFD", name))',
        "tests/zddc/test_renaming.py",
    ),
    Fault(
        "a file may be renamed to a name that is given up later",
        "src/zddc/rename_journal.py",
        "if comparable(line.new_name) in given_up:",
        "if line.new_name == line.name:",
        "tests/zddc/test_rename_journal.py",
    ),
    Fault(
        "the steps that were begun last count as not done",
        "src/zddc/rename_journal.py",
        "    journal.position += made * direction\n",
        "    journal.position += 0\n",
        "tests/zddc/test_rename_journal.py",
    ),
    Fault(
        "a rename overwrites",
        "src/zddc/durable.py",
        "_RENAME_NOREPLACE = 1",
        "_RENAME_NOREPLACE = 0",
        "tests/zddc/test_durable.py",
    ),
    Fault(
        "what is not in the list is no difference",
        "src/zddc/hashing.py",
        "    for file in extra.values():\n        yield",
        "    for file in ():\n        yield",
        "tests/zddc/test_hashing.py",
    ),
    Fault(
        "a user's mistake ends with status 0",
        "src/zddc/console.py",
        'sys.stderr.write(visible(line) + "\\n")\n    return 1',
        'sys.stderr.write(visible(line) + "\\n")\n    return 0',
        "tests/zddc/test_console.py",
    ),
    Fault(
        "an allow comes before a deny of the same file",
        "src/zddc/access/decide.py",
        "    for rule in rules.deny:\n        if is_named(rule, level, email):",
        "    for rule in rules.deny:\n        if is_named(rule, level, email) and not rules.grants:",
        "tests/zddc/access/test_decide.py",
    ),
    Fault(
        "inherit false opens a folder below one that is closed",
        "src/zddc/access/decide.py",
        "_level(folder, rules, roles, above.closed, above.is_incoming",
        "_level(folder, rules, roles, above.closed and not rules.fence_line, above.is_incoming",
        "tests/zddc/access/test_decide.py",
    ),
    Fault(
        "people without an address are anybody",
        "src/zddc/access/patterns.py",
        "return pattern == (ANONYMOUS if email is None else ANYBODY)",
        "return pattern in (ANONYMOUS if email is None else ANYBODY, ANYBODY)",
        "tests/zddc/access/test_patterns.py",
    ),
    Fault(
        "a rule file that is a link is followed",
        "src/zddc/file_identity.py",
        "FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "FILE = os.O_RDONLY | os.O_NONBLOCK",
        "tests/zddc/access/test_rules.py",
    ),
    Fault(
        "an edit that keeps size and time is not seen",
        "src/zddc/file_identity.py",
        "status.st_size, status.st_mtime_ns, status.st_ctime_ns",
        "status.st_size, status.st_mtime_ns, 0",
        "tests/zddc/access/test_policy.py",
    ),
    Fault(
        "faults of rule files end with status 0",
        "src/zddc/cli/access.py",
        "return 1 if faults else 0",
        "return 0",
        "tests/zddc/cli/test_access.py",
    ),
    Fault(
        "names that do not conform end with status 0",
        "src/zddc/cli/names.py",
        "return 1 if wrong else 0",
        "return 0",
        "tests/zddc/test_cli.py",
    ),
    # --- transmittals
    Fault(
        "a signature counts in several ways of writing it",
        "src/zddc/transmittal/signatures.py",
        "{85}[AQgw]==",
        "{86}==",
        "tests/zddc/transmittal/test_signatures.py",
    ),
    Fault(
        "a key twice in one object: the last one counts",
        "src/zddc/canonical.py",
        "            if key in values:\n",
        "            if False:\n",
        "tests/zddc/test_canonical.py",
    ),
    Fault(
        "keys are sorted by code points",
        "src/zddc/canonical.py",
        'return text.encode("utf-16-be", "surrogatepass")',
        'return text.encode("utf-32-be", "surrogatepass")',
        "tests/zddc/test_canonical.py",
    ),
    Fault(
        "integers are rounded in silence",
        "src/zddc/canonical.py",
        "if len(found[0]) > 17 or abs(integer := int(found[0])) > LARGEST_INTEGER:",
        "if len(found[0]) > 4000 or abs(integer := int(found[0])) < 0:",
        "tests/zddc/test_canonical.py",
    ),
    Fault(
        "of two data blocks the first counts",
        "src/zddc/transmittal/block.py",
        "if len(found) != 1:",
        "if not found:",
        "tests/zddc/transmittal/test_block.py",
    ),
    Fault(
        "a transmittal may list what is outside of its folder",
        "src/zddc/transmittal/data.py",
        "if _OUT_OF_FOLDER.search(listed.path):",
        "if not listed.path.isprintable():",
        "tests/zddc/transmittal/test_data.py",
    ),
    Fault(
        "signatures are judged though the payload was changed",
        "src/zddc/transmittal/signatures.py",
        "    if not intact:\n",
        "    if intact is None:\n",
        "tests/zddc/transmittal/test_signatures.py",
    ),
    Fault(
        "an attestation is not looked at",
        "src/zddc/transmittal/signatures.py",
        'if not _is_signature(key, entry["attestation"], claims):',
        'if not isinstance(entry["attestation"], str):',
        "tests/zddc/transmittal/test_signatures.py",
    ),
    Fault(
        "a key file need not hold the key that it names",
        "src/zddc/transmittal/keys.py",
        ".startswith(file.fingerprint):",
        '.startswith(""):',
        "tests/zddc/transmittal/test_keys.py",
    ),
    Fault(
        "a known key is good for ever",
        "src/zddc/transmittal/known_keys.py",
        "<= day <= (key.until or day):",
        "<= day:",
        "tests/zddc/transmittal/test_known_keys.py",
    ),
    Fault(
        "a row may say something else than its file's name",
        "src/zddc/transmittal/checks.py",
        "    if parts != (listed.tracking_number, listed.revision, listed.status, listed.title):\n",
        "    if len(parts) != 4:\n",
        "tests/zddc/transmittal/test_checks.py",
    ),
    Fault(
        "a '<' in a text ends the script",
        "src/zddc/transmittal/writing.py",
        'for character in "<>&\\u2028\\u2029"}',
        'for character in ">&\\u2028\\u2029"}',
        "tests/zddc/transmittal/test_writing.py",
    ),
    Fault(
        "texts are HTML",
        "src/zddc/transmittal/page.py",
        "return escape(visible(text))",
        "return visible(text)",
        "tests/zddc/transmittal/test_page.py",
    ),
    Fault(
        "any hidden file may come along",
        "src/zddc/transmittal/delivery.py",
        'return name in LITTER or name.startswith("._")',
        'return name in LITTER or name.startswith(".")',
        "tests/zddc/transmittal/test_delivery.py",
    ),
    Fault(
        "what was published is published again",
        "src/zddc/transmittal/publishing.py",
        'if page.transmittal.state != "draft":',
        'if page.transmittal.state == "none":',
        "tests/zddc/transmittal/test_publishing.py",
    ),
    Fault(
        "an acknowledgement is a newer revision of its transmittal",
        "src/zddc/transmittal/acknowledgement.py",
        'return f"{folder.date}+B1"',
        'return "9999-01-01"',
        "tests/zddc/transmittal/test_acknowledgement.py",
    ),
    Fault(
        "what was changed can be accepted",
        "src/zddc/receiving.py",
        'ACCEPTABLE = ("missing", "extra", "moved", "renamed")',
        'ACCEPTABLE = ("missing", "extra", "moved", "renamed", "changed")',
        "tests/zddc/test_receiving.py",
    ),
    Fault(
        "what changes while it is moved is confirmed",
        "src/zddc/receiving.py",
        "            report = _check_again(incoming, target, name, receiver, read, copied=copied)\n",
        "            report = check(target, target, name, receiver, read) if copied else None\n",
        "tests/zddc/test_receiving.py",
    ),
    Fault(
        "an accent in another encoding is another name",
        "src/zddc/hashing.py",
        'return unicodedata.normalize("NFC", path)',
        "return path",
        "tests/zddc/transmittal/test_delivery.py",
    ),
    Fault(
        "a new file replaces an old one",
        "src/zddc/durable.py",
        "                rename_without_replacing(source, temporary.name, file.name, folder)\n",
        "                temporary.replace(file)\n",
        "tests/zddc/test_durable.py",
    ),
    Fault(
        "a draft is a delivery",
        "src/zddc/archive/mdl.py",
        "if not document or parse_revision(there).is_draft:",
        "if not document:",
        "tests/zddc/archive/test_mdl.py",
    ),
    Fault(
        "our own comments are their answer",
        "src/zddc/archive/register.py",
        '_OTHER_WAY = {"issued": "received", "received": "issued"}',
        '_OTHER_WAY = {"issued": "issued", "received": "received"}',
        "tests/zddc/archive/test_register.py",
    ),
    Fault(
        "a folder that differs from its transmittal ends with status 0",
        "src/zddc/cli/verification.py",
        "return 1 if report.differs or",
        "return 1 if",
        "tests/zddc/cli/test_verification.py",
    ),
    Fault(
        "an empty password is taken",
        "src/zddc/cli/keys.py",
        '    if password == "":\n',
        '    if password == "empty":\n',
        "tests/zddc/cli/test_keys.py",
    ),
    Fault(
        "a draft is signed",
        "src/zddc/cli/transmittals.py",
        "    if draft and sign:\n",
        "    if draft and sign and not draft:\n",
        "tests/zddc/cli/test_transmittals.py",
    ),
    Fault(
        "what is overdue ends with status 0",
        "src/zddc/cli/deliverables.py",
        "return 1 if any(one.days_late > 0 for one in found) else 0",
        "return 0",
        "tests/zddc/cli/test_deliverables.py",
    ),
    # --- what clients replay, what programs exported
    Fault(
        "thoughts that a client replays are dropped",
        "src/weakspot/protocols/responses_requests.py",
        "self._thoughts += [thoughts] if isinstance(thoughts, str) and thoughts else []",
        "self._thoughts += []",
        "tests/weakspot/protocols/test_responses_requests.py",
    ),
    Fault(
        "thoughts that nothing followed go into a later turn",
        "src/weakspot/protocols/responses_requests.py",
        "        self._thoughts = []\n\n    def _call",
        "        pass\n\n    def _call",
        "tests/weakspot/protocols/test_responses_requests.py",
    ),
    Fault(
        "a packed export is not told from one that nobody knows",
        "src/weakspot/importers/format_detection.py",
        "        return stream.read(4).startswith(_PACKED)",
        '        return stream.read(4) == b""',
        "tests/weakspot/importers/test_format_detection.py",
    ),
    Fault(
        "more consultations than questions are a share of them",
        "src/weakspot/analytics/savings.py",
        "    if total.questions and total.consultations > total.questions:",
        "    if total.questions and total.consultations < 0:",
        "tests/weakspot/analytics/test_savings.py",
    ),
    Fault(
        "validate asks a hub for a base",
        "src/weakspot/checks/integrity.py",
        "manifest, download=False)",
        "manifest)",
        "tests/weakspot/checks/test_integrity.py",
    ),
)


Thing, Result = TypeVar("Thing"), TypeVar("Result")
Kind = Literal["named", "drawn"]
Outcome = Literal["caught", "hangs", "survives", "does not apply", "no tests", "tests fail without it"]


class Found(NamedTuple):
    """What became of a fault; ``by`` is the test that noticed it, or what else there is to say."""

    name: str
    kind: Kind
    outcome: Outcome
    by: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether the tests noticed it, also by not coming to an end."""
        return self.outcome in ("caught", "hangs")


class Baseline(NamedTuple):
    """The tests that ran on the unchanged source: the seconds of each, and those that failed."""

    seconds: dict[str, float]
    failed: frozenset[str]

    def of(self, tests: Iterable[str]) -> "Baseline":
        """Return what is known of some tests, given as a file or as ``file::test``."""
        named = tuple(tests)
        own = {name: took for name, took in self.seconds.items() if any(belongs(name, one) for one in named)}
        return Baseline(own, self.failed & own.keys())


def belongs(test: str, named: str) -> bool:
    """Whether a test, as ``file::test[case]``, is meant by a file, a test of it, or a case of that."""
    return test == named or test.startswith((f"{named}::", f"{named}["))


class Copy:
    """A copy of a repository that faults are put into, and the process that forks to run its tests."""

    def __init__(self, repository: Path, place: Path) -> None:
        self.root, self._scratch, self._runs = place / "repository", place, 0
        self.root.mkdir(parents=True)
        for name in COPIED:
            if (repository / name).is_dir():
                shutil.copytree(repository / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (repository / name).is_file():
                shutil.copy2(repository / name, self.root / name)
        python = repository / ".venv" / "bin" / "python"
        hidden = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "WEAKSPOT_SOAK", "PYTHONPYCACHEPREFIX")
        hidden += ("PYTHONDONTWRITEBYTECODE",)
        given = {key: value for key, value in os.environ.items() if key not in hidden}
        given |= {"PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [str(python) if python.exists() else sys.executable, __file__, "--serve"],
            cwd=self.root,
            env=given | {"PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._heard = b""

    def run(
        self, tests: Iterable[str], *options: str, seconds: float | None = None, changed: bool = True
    ) -> tuple[int | None, str]:
        """Run tests; return pytest's status, None where it did not end in time, and what was written.

        Nothing that is compiled of a ``changed`` source is kept: of the unchanged one it is, and used again.
        """
        self._runs += 1
        scratch = self._scratch / f"t{self._runs}"
        scratch.mkdir()
        arguments = ["-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0", *options]
        arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning", "--basetemp", str(scratch / "pytest"), *tests]
        self._tell({"arguments": arguments, "output": str(scratch / "output"), "changed": changed})
        process = int(self._told(None))
        try:
            status: int | None = int(self._told(seconds))
        except TimeoutError:
            status = None
            os.killpg(process, signal.SIGINT)  # first as Ctrl-C does: what it mounted is given back
            with contextlib.suppress(TimeoutError):
                self._told(30)
                process = 0
            if process:
                os.killpg(process, signal.SIGKILL)
                self._told(None)
        if process:
            with contextlib.suppress(ProcessLookupError):  # what its tests left running
                os.killpg(process, signal.SIGKILL)
        said = (scratch / "output").read_text(encoding="utf-8", errors="replace")
        shutil.rmtree(scratch, ignore_errors=True)
        return status, said

    def _tell(self, order: dict[str, object]) -> None:
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()

    def _told(self, seconds: float | None) -> bytes:
        """Return the next line that the process writes; raise TimeoutError where none comes in time.

        Time in which all of this is stopped, as by a person who wants the machine for something else, does not count.
        """
        stream, slices = self._server.stdout.fileno(), 0
        while b"\n" not in self._heard:
            if select.select([stream], [], [], _SLICE_SECONDS)[0]:
                if not (data := os.read(stream, 1000)):
                    raise RuntimeError("the process that runs the tests is gone")
                self._heard += data
            elif seconds is not None and (slices := slices + 1) * _SLICE_SECONDS > seconds:
                raise TimeoutError
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def close(self) -> None:
        """End the process that forks."""
        self._server.stdin.close()
        self._server.wait()

    @contextlib.contextmanager
    def changed(self, fault: Fault) -> Iterator[None]:
        """Have a fault in the copy; afterwards the file is what it was, to the time of its change."""
        file = self.root / fault.file
        before, times = file.read_bytes(), file.stat()
        file.write_bytes(before.replace(fault.old.encode(), fault.new.encode()))
        try:
            yield
        finally:
            file.write_bytes(before)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def serve() -> None:
    """Fork for each order that comes on standard input; tell the process, and at its end pytest's status."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # nothing of it is looked through, and so copied, in a fork
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if not process:
            _become_pytest(order)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _become_pytest(order: dict[str, object]) -> None:
    status = 3
    try:
        import pytest

        os.setsid()
        with open(os.devnull, "rb") as nothing, open(str(order["output"]), "wb") as output:  # noqa: PTH123
            for number, stream in ((0, nothing), (1, output), (2, output)):
                os.dup2(stream.fileno(), number)
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
        if order["changed"]:
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.path[:] = [str(Path.cwd()), *sys.path[1:]]  # as for python -m pytest; PYTHONPATH comes next
        sys.argv[1:] = []
        status = int(pytest.main(order["arguments"]))
    finally:
        sys.stdout.flush()
        os._exit(status)


def drawn() -> list[Fault]:
    """Return the faults that were drawn."""
    return [Fault(**one) for one in json.loads(DRAWN.read_text(encoding="utf-8"))]


def there(repository: Path, test: str) -> bool:
    """Whether a repository has a test: older ones lack those that were written since."""
    file, _, name = test.partition("::")
    path, name = repository / file, name.partition("[")[0]
    return path.is_file() and (not name or f"def {name}(" in path.read_text(encoding="utf-8"))


def tests_of(repository: Path, fault: Fault) -> list[str]:
    return [test for test in fault.tests.split() if there(repository, test)]


def without_faults(copies: Sequence[Copy], tests: Iterable[str]) -> Baseline:
    """Run all the tests on the unchanged copies, file by file."""
    files: dict[str, list[str]] = {}
    for test in sorted(set(tests)):
        files.setdefault(test.partition("::")[0], []).append(test)
    # A file of which all is asked for is asked for once.
    asked = [[file] if file in named else named for file, named in sorted(files.items())]
    cases = [case for found in with_copies(copies, measured, asked) for case in found]
    return Baseline({name: took for name, took, _ in cases}, frozenset(name for name, _, well in cases if not well))


def measured(copy: Copy, tests: Sequence[str]) -> list[tuple[str, float, bool]]:
    """Run tests on the unchanged copy; return name, seconds and success of each that was not skipped."""
    results = copy.root.parent / "results.xml"
    results.unlink(missing_ok=True)
    copy.run(tests, f"--junitxml={results}", "-o", "junit_family=xunit1", changed=False)
    if not results.exists():
        return [(f"{test}::cannot be run", 0.0, False) for test in tests]
    cases = xml.etree.ElementTree.parse(results).iter("testcase")
    return [
        (
            f"{case.get('file')}::{case.get('name')}" if case.get("file") else f"{tests[0]}::cannot be collected",
            float(case.get("time", "0")),
            case.find("failure") is None and case.find("error") is None,
        )
        for case in cases
        if case.find("skipped") is None
    ]


def tried(copy: Copy, fault: Fault, tests: Sequence[str], before: Baseline) -> tuple[Outcome, str]:
    """Put a fault into the copy and run its tests; return what came of it."""
    file = copy.root / fault.file
    if not file.exists() or file.read_text(encoding="utf-8").count(fault.old) != 1:
        return "does not apply", "its text is not there once"
    if not tests:
        return "no tests", "none of its tests is there"
    known = before.of(tests)
    if known.failed:
        return "tests fail without it", min(known.failed)
    if not known.seconds:
        return "no tests", "all of its tests are skipped"
    bound = PATIENCE_SECONDS + PATIENCE_TIMES * sum(known.seconds.values())
    with copy.changed(fault):
        status, said = copy.run(tests, "-x", seconds=bound)
    if status is None:
        return "hangs", f"no end within {bound:.0f} s"
    if status == 0:
        return "survives", ""
    lines = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return "caught", lines[0].split(" ", 1)[1].partition(" - ")[0] if lines else f"pytest ended with {status}"


def try_all(repository: Path, faults: Sequence[Fault], jobs: int) -> Iterator[Found]:
    """Yield what became of each fault, in whichever order they are done."""
    named = {fault.name for fault in NAMED}
    tests = {fault.name: tests_of(repository, fault) for fault in faults}
    with contextlib.ExitStack() as held:
        # Copies of a disk that a test mounted and a killed run left may not go away.
        place = held.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True))
        copies = [Copy(repository, Path(place) / str(number)) for number in range(jobs)]
        for copy in copies:
            held.callback(copy.close)
        before = without_faults(copies, (test for own in tests.values() for test in own))

        def found(copy: Copy, fault: Fault) -> Found:
            began = time.monotonic()
            outcome, by = tried(copy, fault, tests[fault.name], before)
            kind: Kind = "named" if fault.name in named else "drawn"
            return Found(fault.name, kind, outcome, by, round(time.monotonic() - began, 1))

        yield from with_copies(copies, found, faults)


def with_copies(
    copies: Sequence[Copy], do: Callable[[Copy, Thing], Result], things: Iterable[Thing]
) -> Iterator[Result]:
    """Yield what ``do`` makes of each thing with a copy that nothing else has meanwhile, in whichever order."""
    free = queue.SimpleQueue[Copy]()
    for copy in copies:
        free.put(copy)

    def done(thing: Thing) -> Result:
        copy = free.get()
        try:
            return do(copy, thing)
        finally:
            free.put(copy)

    pool = ThreadPoolExecutor(len(copies))
    try:
        for future in as_completed([pool.submit(done, thing) for thing in things]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--list", action="store_true", help="show the faults, and try none")
    options.add_argument("--only", nargs="+", metavar="WORDS", help="those whose name or file has these words")
    kinds = options.add_mutually_exclusive_group()
    kinds.add_argument("--named", action="store_true", help="those that are named here")
    kinds.add_argument("--drawn", action="store_true", help="those that were drawn")
    options.add_argument("--json", type=Path, metavar="FILE", help="write what came of each there as well")
    options.add_argument("--repository", type=Path, default=ROOT, help="try them on another checkout, with its tests")
    options.add_argument("--jobs", type=int, default=2, help="tried at a time")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve()
        return 0
    faults = [*(() if given.drawn else NAMED), *(() if given.named else drawn())]
    if given.only:
        faults = [one for one in faults if any(words in f"{one.name} {one.file}" for words in given.only)]
    if given.list:
        for one in faults:
            print(f"{one.name}\n    {one.file}\n    {one.tests}" + (f"\n    {one.survives}" if one.survives else ""))
        return 0
    began, reasons, all_found = time.monotonic(), {one.name: one.survives for one in faults}, []
    for found in try_all(given.repository.resolve(), faults, given.jobs):
        all_found.append(found)
        because = f"because {reasons[found.name]}" if not found.caught and reasons[found.name] else found.by
        print(f"{found.outcome:8} {found.seconds:6.1f} s  {found.name}: {because}", flush=True)
    if given.json:
        rows = [one._asdict() for one in sorted(all_found, key=lambda one: (one.kind, one.name))]
        given.json.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind in ("named", "drawn"):
        own = [one for one in all_found if one.kind == kind]
        if own:
            print(f"{kind}: {sum(one.caught for one in own)} of {len(own)} caught")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if any(not one.caught and not reasons[one.name] for one in all_found) else 0


if __name__ == "__main__":
    sys.exit(main())
