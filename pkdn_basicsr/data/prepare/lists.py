"""What lies beside the pictures of a prepared set: its lists, its manifest, and what was left out and why."""

import json
from collections.abc import Iterator, Mapping

from pkdn_basicsr.data.prepare.journal import Journal
from pkdn_basicsr.data.prepare.recipe import SPLITS, Plan
from pkdn_basicsr.data.prepare.work import Entry, MadeFace
from pkdn_basicsr.files import csv_text

MANIFEST = 'manifest.json'


def set_lists(plan: Plan, settings: Mapping[str, object], journal: Journal) -> dict[str, str]:
    """Return the texts that describe a finished set, from what the journal says, in the order of the plan.

    - `meta_info.txt`: BasicSR's list, `name.png (height,width,channels)`;
    - `split_train.txt`, `split_val.txt`, `split_test.txt`: names, where the download knows such parts;
    - `skipped.csv`: source pictures that gave no face, and why;
    - `manifest.json`: the settings, and of each face its sources, files (both with SHA-256) and facts. It says nothing
      of when and where, so that two runs that made the same set have the same manifest;
    - the plan's own lists.
    """

    def faces(split: str | None = None) -> Iterator[MadeFace]:
        return (face for entry in made_entries(plan, journal) if split in (None, entry.split) for face in entry.faces)

    lists = {'meta_info.txt': ''.join(f'{face.name}.png ({",".join(map(str, face.shape))})\n' for face in faces())}
    for split in sorted({recipe.split for recipe in plan.recipes} & {*SPLITS}):
        lists[f'split_{split}.txt'] = ''.join(f'{face.name}.png\n' for face in faces(split))
    skipped = ((next(iter(entry.sources), entry.name), entry.skipped)
               for entry in made_entries(plan, journal) if entry.skipped)
    lists['skipped.csv'] = csv_text(['source', 'reason'], skipped)
    lists |= {name: text(faces()) for name, text in plan.lists.items()}
    lists[MANIFEST] = _manifest(plan, settings, journal)
    return lists


def _manifest(plan: Plan, settings: Mapping[str, object], journal: Journal) -> str:
    """A face a line, so that the manifest of a large set can be searched and compared by line."""
    lines = [json.dumps(_description(entry, face)) for entry in made_entries(plan, journal) for face in entry.faces]
    body = ',\n  '.join(lines)
    return f'{{"settings": {json.dumps(settings)},\n "faces": [\n  {body}\n]}}\n'


def _description(entry: Entry, face: MadeFace) -> Mapping[str, object]:
    height, width, _ = face.shape
    split = {'split': entry.split} if entry.split else {}
    return {'name': face.name, 'sources': entry.sources, 'files': face.files, 'width': width, 'height': height, **split,
            **face.facts}


def made_entries(plan: Plan, journal: Journal) -> Iterator[Entry]:
    """Return what became of the plan's recipes, in their order."""
    return filter(None, (journal.entry(recipe.name) for recipe in plan.recipes))
