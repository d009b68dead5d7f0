"""The model card shows names as they are, whatever is in them."""

from weakspot.records import AdapterManifest, BaseReference
from weakspot.training.model_card import write_model_card
from weakspot.workspace import AdapterName

EVIL = "x`](http://evil)<script>|\n# big\x1b\u202e"


def test_no_name_is_markup(workspace):
    name = AdapterName("d_e", 1)
    manifest = AdapterManifest(
        name=str(name),
        domain="d_e",
        version=1,
        base=BaseReference(name=EVIL, location=EVIL, revision=EVIL, identity="0"),
        snapshot="v2026-01-01",
        examples=1,
        domain_examples=1,
        settings={
            "train": {"learning_rate": 1e-4},
            "lora": {"rank": 1, "alpha": 1, "dropout": 0.0, "target_modules": [EVIL]},
        },
        seed=1,
        steps=1,
        best_step=1,
        train_loss=1.0,
        val_loss=None,
        seconds=1.0,
        created="2026-01-01",
        versions={},
        files={},
    )
    write_model_card(workspace, name, manifest, [{"step": 1, "loss": 1.0}])
    card = workspace.adapter_card(name).read_text()
    assert r"x\`\]\(http://evil\)\<script\>\| \# big" in card
    assert "<script>" not in card.partition("---\n\n")[2]
    assert not [one for one in card if not one.isprintable() and one != "\n"]
    assert card.splitlines().count("---") == 2
