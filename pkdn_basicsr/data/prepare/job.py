"""A prepared set from its plan: made in parallel, continued after any interruption, nothing of others touched."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pkdn_basicsr import __version__
from pkdn_basicsr.data.prepare.journal import FOLDER, Journal, check_claim, claim
from pkdn_basicsr.data.prepare.lists import made_entries, set_lists
from pkdn_basicsr.data.prepare.lmdb_copy import write_lmdb_copies
from pkdn_basicsr.data.prepare.parallel import parallel_map
from pkdn_basicsr.data.prepare.recipe import Plan
from pkdn_basicsr.data.prepare.work import Outcome, Work
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256, sha256_of_file, write_whole


@dataclass
class Result:
    """What a run of `prepare` did.

    Attributes:
        faces: Faces in the set.
        made: Source pictures whose faces were made.
        kept: Source pictures whose faces were there from an earlier run.
        skipped: Source pictures that gave no face.
    """

    faces: int = 0
    made: int = 0
    kept: int = 0
    skipped: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add what became of one source picture."""
        self.faces += len(outcome.entry.faces)
        self.skipped += bool(outcome.entry.skipped)
        self.made += bool(outcome.contents)
        self.kept += not (outcome.contents or outcome.entry.skipped)


def prepare(plan: Plan, dst: Path, workers: int, lmdb: bool = False) -> Result:
    """Make a set, or what is missing of it.

    Whatever is found is verified by its hash and kept; what is missing, and what was made from a source that has
    changed, is made. The set ends the same however often it was interrupted.

    Args:
        plan: What to make.
        dst: New or empty folder, or one begun with the same settings.
        workers: Processes at most.
        lmdb: Also write the pictures as BasicSR's LMDBs. Those of an earlier run are brought up to date in any case.

    Returns:
        What was done. Lists, manifest and the report of what was skipped lie in `dst`.

    Raises:
        UsageError: No worker, or the folder holds something else, faces of sources that are no longer in the plan,
            cannot be written to, or has files that are not as they were made; the last are left alone, and everything
            else is finished first.
    """
    if workers < 1:
        raise UsageError(f'workers must be at least 1, found {workers}')
    check_plan(plan, dst)
    result, altered = Result(), []
    with _sole_user(plan, dst), closing(Journal(dst)) as journal:
        _refuse_leftovers(plan, dst, journal)
        entries = ((recipe, journal.entry(recipe.name)) for recipe in plan.recipes)
        tasks = ((recipe, entry, journal.earlier(entry)) for recipe, entry in entries)
        with parallel_map(Work(plan.root, dst), tasks, len(plan.recipes), workers) as outcomes:
            for outcome in tqdm(outcomes, 'preparing', total=len(plan.recipes), unit='picture'):
                result.count(outcome)
                altered += outcome.altered or _keep(outcome, dst, journal)
        if altered:
            raise UsageError(f'{dst}: {len(altered)} files are not what was made here, the first is '
                             f'{sorted(altered)[0]}; they are left as they are: move them away, and run the same '
                             'command again')
        _write_lists(plan, dst, journal)
        write_lmdb_copies(dst, (face for entry in made_entries(plan, journal) for face in entry.faces), anew=lmdb)
    return result


def check_plan(plan: Plan, dst: Path) -> None:
    """Check, without writing, that a plan can be made in a folder.

    Raises:
        UsageError: Nothing to make, two pictures of one name, or a folder that holds something else.
    """
    if plan.root and dst.resolve().is_relative_to(plan.root.resolve()):
        raise UsageError(f'{dst}: lies in the source folder {plan.root}, and would be read as part of it; name another '
                         'folder')
    if not plan.recipes:
        raise UsageError(f'{plan.root}: found no picture to prepare')
    sources: dict[str, str] = {}
    for recipe in plan.recipes:
        source = next(iter(recipe.sources), recipe.name)
        if recipe.name in sources:
            raise UsageError(f'{plan.root}: {sources[recipe.name]} and {source} would both be named {recipe.name}; '
                             'rename one of them')
        sources[recipe.name] = source
    check_claim(dst, _settings(plan))


def _settings(plan: Plan) -> dict[str, object]:
    return {'tool': f'pkdn_basicsr {__version__}', **plan.settings}


def _refuse_leftovers(plan: Plan, dst: Path, journal: Journal) -> None:
    """A data set that reads the folder, not its lists, would take faces for its own that the plan leaves out now."""
    wanted = {recipe.name for recipe in plan.recipes}
    left = sorted(path for name in journal.names() - wanted for face in journal.entry(name).faces for path in face.files
                  if (dst / path).exists())
    if left:
        raise UsageError(f'{dst}: has {len(left)} files of pictures that are not among the sources, or are left out, '
                         f'this time, the first is {left[0]}; name another folder, or move these files away')


def _keep(outcome: Outcome, dst: Path, journal: Journal) -> list[str]:
    """Write what was made; return the files that stand in the way because they are somebody's."""
    entry, old = outcome.entry, journal.entry(outcome.entry.name)
    ours = {path: sha for face in old.faces for path, sha in face.files.items()} if old else {}
    dropped = ours.keys() - {path for face in entry.faces for path in face.files}
    there = {path: sha for path in {*dropped, *outcome.contents} if (sha := _sha256(dst / path))}
    made_here = {path for path, sha in there.items() if sha == ours.get(path) or journal.was_ours(path, sha)}
    foreign = [path for path in there.keys() & outcome.contents.keys() - made_here
               if there[path] != sha256(outcome.contents[path])]
    if foreign:
        return foreign
    for path in dropped & made_here:  # of a source that has changed, and no longer gives these faces
        (dst / path).unlink()
    if entry != old:
        journal.add(entry)
    for path, content in outcome.contents.items():
        _write(dst, path, content)
    return []


def _write_lists(plan: Plan, dst: Path, journal: Journal) -> None:
    lists = set_lists(plan, _settings(plan), journal)
    for name in journal.lists() - lists.keys():  # of a split that the set no longer has
        if journal.was_ours(name, _sha256(dst / name)):
            (dst / name).unlink()
    for name, text in lists.items():
        content = text.encode()
        found = _sha256(dst / name)
        if found not in (None, sha256(content)) and not journal.was_ours(name, found):
            raise UsageError(f'{dst / name}: is not as it was written here, and is left as it is; move it away, and '
                             'run the same command again')
        journal.add_list(name, sha256(content))
        _write(dst, name, content)


def _sha256(path: Path) -> str | None:
    return sha256_of_file(path) if path.exists() else None


def _write(dst: Path, path: str, content: bytes) -> None:
    try:
        write_whole(dst / path, content, unfinished=dst / FOLDER / 'unfinished')
    except OSError as error:
        raise UsageError(f'{dst / path}: cannot be written ({error.strerror}); what is finished stays: mend this, and '
                         'run the same command again') from None


@contextmanager
def _sole_user(plan: Plan, dst: Path) -> Iterator[None]:
    """Claim the folder, and keep a second run out of it while this one lives."""
    claim(dst, _settings(plan))
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (dst / FOLDER / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f'{dst}: another run is writing to it; wait for its end, or stop it') from None
        yield


def describe(plan: Plan, dst: Path) -> Mapping[str, int]:
    """Return what a run would do, without writing: pictures of each split, and how many were made already."""
    check_plan(plan, dst)
    counts: dict[str, int] = {}
    for recipe in plan.recipes:
        counts[recipe.split or 'pictures'] = counts.get(recipe.split or 'pictures', 0) + 1
    if (dst / FOLDER / 'journal.jsonl').exists():
        with closing(Journal(dst)) as journal:
            _refuse_leftovers(plan, dst, journal)
            counts['already made'] = sum(journal.entry(recipe.name) is not None for recipe in plan.recipes)
    return counts
