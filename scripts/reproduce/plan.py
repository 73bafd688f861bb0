"""What is trained: the networks of `networks.yml`, their variants, and an option file for each run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.weights.shipped import is_shipped

_PLAN = Path('scripts/reproduce/networks.yml')
VARIANTS = {'trials': Path('scripts/reproduce/trials.yml'), 'ablation': Path('scripts/reproduce/ablation.yml')}


@dataclass(frozen=True)
class Run:
    """A network that is trained with a seed.

    Attributes:
        network: Its name in the plan.
        seed: `manual_seed`.
        name: Of the experiment.
        opt: Its options.
        needs: The run whose result it needs, or None.
        is_compared: Whether it is a network of the table.
        weights: The name under which its weights are shipped, if they are, or None.
    """

    network: str
    seed: int
    name: str
    opt: dict
    needs: 'Run | None'
    is_compared: bool
    weights: str | None = None

    @property
    def checkpoint(self) -> Path:
        """What is tested, or taught by: the best on the validation faces, or the last of what has no validation."""
        best = self.opt.get('val', {}).get('save_best')
        return Path('experiments', self.name, 'models', f'net_g_best_{best}.pth' if best else 'net_g_latest.pth')

    @property
    def tested(self) -> str | None:
        """What is compared: its checkpoint, or without one the name of the weights that the package ships, or None."""
        if self.is_finished:
            return str(self.checkpoint)
        return self.weights if is_shipped(self.weights) else None

    @property
    def is_finished(self) -> bool:
        """Whether it has been trained to its end, which is when BasicSR writes this file."""
        return Path('experiments', self.name, 'models', 'net_g_latest.pth').is_file()


def read_plan(small: bool) -> list[Run]:
    """Return the runs in their order: first the first seed of all networks, then the others."""
    plan = OptionFile(str(_PLAN)).opt
    return sorted(_runs(plan, plan['networks'], small), key=lambda run: run.seed)


def read_variants(kind: str, small: bool) -> dict[str, list[Run]]:
    """Return for each network of the plan that has variants its run and theirs.

    A variant is that network with changes of its own, which come after the plan's.

    Args:
        kind: A key of `VARIANTS`.
        small: Whether the runs are those of `--small`.
    """
    plan, groups = OptionFile(str(_PLAN)).opt, OptionFile(str(VARIANTS[kind])).opt
    networks = dict(plan['networks'])
    for network, variants in groups.items():
        networks |= {name: _variant(entry, networks[network]) for name, entry in variants.items()}
    runs = {run.network: run for run in _runs(plan, networks, small) if run.seed == 0}
    return {network: [runs[network], *(runs[name] for name in variants)] for network, variants in groups.items()}


def _variant(entry: Mapping, network: Mapping) -> dict:
    changes = {key: _both(network.get(key, {}), entry.get(key, {})) for key in ('change', 'small')}
    return {**network, **entry, **changes, 'seeds': [0], 'weights': None}


def _both(change: Mapping, later: Mapping) -> dict:
    """Return one change and then another as one."""
    return {**change, **{key: _both(change.get(key, {}), value) if isinstance(value, Mapping) else value
                         for key, value in later.items()}}


def _runs(plan: Mapping, networks: Mapping, small: bool) -> list[Run]:
    runs: dict[tuple[str, int], Run] = {}
    for network, entry in networks.items():
        for seed in entry.get('seeds', [0]):
            needs = _needed(runs, entry['needs'], seed) if 'needs' in entry else None
            runs[network, seed] = _run(network, seed, plan, entry, needs, small)
    return list(runs.values())


def _needed(runs: Mapping[tuple[str, int], Run], network: str, seed: int) -> Run:
    """Return the run of the same seed, so that seeds of a student tell how much its teacher varies too."""
    return runs.get((network, seed), runs[network, 0])


def _run(network: str, seed: int, plan: Mapping, entry: Mapping, needs: Run | None, small: bool) -> Run:
    opt = OptionFile(entry['opt']).opt
    parts = [plan['protocol'], entry.get('change', {})]
    if small:
        parts += [plan['small_protocol'], entry.get('small', {})]
    for part in parts:
        opt = _merged(opt, part)
    rate = entry.get('rate', entry.get('small_rate', 1) if small else 1)
    opt = _merged(opt, {'train': {'optim_g': {'lr': opt['train']['optim_g']['lr'] * rate}}})
    name = f'reproduce{"_small" if small else ""}_{network.replace(",", "").replace(" ", "_")}_seed{seed}'
    opt = _merged(opt, {'name': name, 'manual_seed': seed})
    if needs:
        opt = _filled(opt, str(needs.checkpoint))
    weights = f'{entry["weights"]}{"_small" if small else ""}_x8' if entry.get('weights') and seed == 0 else None
    return Run(network, seed, name, opt, needs, entry.get('compare', True), weights)


def with_needed(runs: Iterable[Run]) -> list[Run]:
    """Return runs, each after what it needs, none twice."""
    ordered: dict[str, Run] = {}
    for run in runs:
        for each in [*with_needed([run.needs] if run.needs else []), run]:
            ordered.setdefault(each.name, each)
    return list(ordered.values())


def write_option_file(run: Run, folder: Path) -> Path:
    """Write the options of a run to a file that `basicsr train` takes, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{run.name}.yml'
    plain = json.loads(json.dumps(run.opt))  # YAML cannot write BasicSR's ordered dictionaries
    path.write_text(yaml.safe_dump(plain, sort_keys=False, width=120))
    return path


def _merged(opt: Mapping, change: Mapping) -> dict:
    """Return options with changes; a file without a section (`val`) or without maps is left without."""
    merged = dict(opt)
    for key, value in change.items():
        if isinstance(value, Mapping):
            if key in opt:
                merged[key] = _merged(opt[key], value)
        elif key != 'dataroot_parsing' or key in opt:
            merged[key] = value
    return merged


def _filled(opt: object, path: str) -> object:
    """Return options with `{needs}` replaced by a path."""
    if isinstance(opt, Mapping):
        return {key: _filled(value, path) for key, value in opt.items()}
    return path if opt == '{needs}' else opt
