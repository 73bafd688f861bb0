"""`SRModel` with a validation that shares the work, keeps every face's values and saves the best networks."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from basicsr.utils import get_root_logger, imwrite, tensor2img
from basicsr.utils.registry import MODEL_REGISTRY
from torch.utils.data import DataLoader
from tqdm import tqdm

from pkdn_basicsr.data.pairing import check_set_names, name_of_sample
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import csv_text, write_whole
from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure.together import fail_together
from pkdn_basicsr.host.shards import from_first, gather, load_my_share, my_share
from pkdn_basicsr.metrics.measure import DECIMALS, mean_known, measure
from pkdn_basicsr.models.loss_dict_model import LossDictModel
from pkdn_basicsr.models.panel import draw_panel
from pkdn_basicsr.models.validation_history import add_to_history, read_history


@dataclass(frozen=True)
class _Face:
    """What validation found out about one face."""

    image: str
    values: dict[str, float]
    panel: np.ndarray | None


@MODEL_REGISTRY.register()
class FaceSRModel(LossDictModel):
    """`SRModel` that validates with all processes and remembers what it has measured.

    A drop-in for `SRModel`: the same options train the same weights. In validation every process takes its share of
    the faces, and the results are those of one process. They are written below the experiment's folder (in testing: the
    result folder): `per_image/<data set>_<iteration>.csv` has every metric of every face, `validation.csv` the means of
    all validations, from which a resumed run knows the best one.

    Options beyond `SRModel`'s are those of `LossDictModel` and

        val.save_best: A metric of `val.metrics`, or a list of them. When one reaches a new best mean, the network is
            saved as `models/net_g_best_<metric>.pth`; where there are several validation sets, as
            `net_g_best_<metric>_<data set>.pth`.
        val.panels: How many faces, the first of each data set, TensorBoard shows: low resolution, result, truth.
    """

    @staticmethod
    def check(opt: dict) -> None:
        """Check before a run the options of the step and what `val` asks for.

        Raises:
            UsageError: An option of the step does not fit, `save_best` names no metric of `val.metrics`, `panels` is
                no number of faces, or two data sets would write the same files.
        """
        LossDictModel.check(opt)
        val_opt = opt.get('val') or {}
        metrics = val_opt.get('metrics') or {}
        if not isinstance(val_opt.get('save_best') or [], str | list):
            raise UsageError(f"val.save_best: expected a metric or a list of them, found {val_opt['save_best']!r}")
        for metric in _metrics_to_save(val_opt):
            if '/' in str(metric):
                raise UsageError(f"val.save_best: '{metric}' becomes part of a file's name; rename it without /")
            if metric not in metrics:
                raise UsageError(f"val.save_best: there is no metric '{metric}' in val.metrics, which has "
                                 f'{", ".join(metrics) or "none"}')
        check_set_names([dataset['name'] for phase, dataset in (opt.get('datasets') or {}).items()
                         if phase != 'train' and 'name' in dataset])
        panels = val_opt.get('panels') or 0
        if not isinstance(panels, int) or panels < 0:
            raise UsageError(f'val.panels: expected a number of faces, found {panels!r}')

    def resume_training(self, resume_state: dict) -> None:
        """Load the host's state and, from `validation.csv`, the best results up to its iteration.

        A validation of that iteration that the run did not come to is made up for.
        """
        super().resume_training(resume_state)
        current_iter, history = resume_state['iter'], read_history(self._folder() / 'validation.csv')
        for entry in history:
            if entry.iter <= current_iter and entry.metric in self._metrics():
                self._initialize_best_metric_results(entry.dataset)
                self._update_best_metric_result(entry.dataset, entry.metric, entry.mean, entry.iter)
        done = from_first({entry.dataset for entry in history if entry.iter == current_iter})
        if self._metrics() and current_iter % self.opt['val'].get('val_freq', math.inf) == 0:
            for loader in run.current.val_loaders:
                if loader.dataset.opt['name'] not in done:
                    self.validation(loader, current_iter, run.current.tb_logger, self.opt['val']['save_img'])

    def dist_validation(self, dataloader: DataLoader, current_iter: int | str, tb_logger, save_img: bool) -> None:
        """Validate on one data set; every process must call it.

        Args:
            dataloader: Batches of one.
            current_iter: The iteration; in testing the run's name.
            tb_logger: TensorBoard's writer, in process 0 of a training run that has one.
            save_img: Save the results where the host saves them.
        """
        with fail_together():
            mine = self._measure_share(dataloader, current_iter, save_img)
        faces = gather(mine)
        if faces is not None:
            dataset = dataloader.dataset.opt['name']
            self._write_values(dataset, faces, current_iter)
            self._show_panels(dataset, faces, current_iter, tb_logger)
            if self._metrics():
                self._report_means(dataset, faces, current_iter, tb_logger)

    nondist_validation = dist_validation

    def _measure_share(self, dataloader: DataLoader, current_iter: int | str, save_img: bool) -> list[_Face]:
        dataset, share = dataloader.dataset, my_share(len(dataloader.dataset))
        loader = load_my_share(dataset, dataloader.num_workers)
        hidden = not self.opt['val'].get('pbar', False) or self.opt['rank'] != 0
        faces = []
        for index, sample in zip(share, tqdm(loader, unit='face', disable=hidden), strict=True):
            pictures = self._super_resolve(sample)
            image = name_of_sample(sample, dataset.opt)
            if save_img:
                imwrite(pictures['result'], self._picture_path(dataset.opt['name'], image, current_iter))
            faces.append(_Face(image, measure(self._metrics(), pictures['result'], pictures.get('gt'), image),
                               draw_panel(pictures) if index < (self.opt['val'].get('panels') or 0) else None))
        return faces

    def _super_resolve(self, sample: dict) -> dict[str, np.ndarray]:
        """Return `lq`, `result` and, where the data set has it, `gt` as uint8 (H, W, 3), BGR."""
        self.feed_data(sample)
        self.test()
        pictures = {name: tensor2img([tensor]) for name, tensor in self.get_current_visuals().items()}
        vars(self).pop('gt', None)  # the next data set may have none, and would be compared with this one's
        return pictures

    def _write_values(self, dataset: str, faces: Sequence[_Face], current_iter: int | str) -> None:
        name = f'{dataset}_{current_iter}' if self.is_train else dataset
        rows = ([face.image, *(f'{value:.{DECIMALS}f}' for value in face.values.values())] for face in faces)
        write_whole(self._folder() / 'per_image' / f'{name}.csv', csv_text(['image', *self._metrics()], rows))

    def _show_panels(self, dataset: str, faces: Sequence[_Face], current_iter: int | str, tb_logger) -> None:
        for face in faces if tb_logger else ():
            if face.panel is not None:
                tb_logger.add_image(f'{dataset}/{face.image}', face.panel, current_iter, dataformats='HWC')

    def _report_means(self, dataset: str, faces: Sequence[_Face], current_iter: int | str, tb_logger) -> None:
        values = {metric: [face.values[metric] for face in faces] for metric in self._metrics()}
        self.metric_results = {metric: mean_known(column) for metric, column in values.items()}
        for metric, column in values.items():
            unknown = sum(not math.isfinite(value) for value in column)
            if unknown:
                get_root_logger().warning(f'{dataset}: {metric} has no finite value on {unknown} of {len(faces)} '
                                          'faces, which its mean leaves out')
        self._initialize_best_metric_results(dataset)
        new_best = [metric for metric in values if self._is_new_best(dataset, metric, current_iter)]
        self._log_validation_metric_values(current_iter, dataset, tb_logger)
        if self.is_train:
            self._save_best(dataset, new_best)  # first: what is in the history is done
            add_to_history(self._folder() / 'validation.csv', current_iter, dataset, self.metric_results)

    def _is_new_best(self, dataset: str, metric: str, current_iter: int | str) -> bool:
        """Update the host's record; a mean that is not known is no best one."""
        mean = self.metric_results[metric]
        if math.isnan(mean):
            return False
        self._update_best_metric_result(dataset, metric, mean, current_iter)
        return self.best_metric_results[dataset][metric]['iter'] == current_iter

    def _save_best(self, dataset: str, new_best: Sequence[str]) -> None:
        nets = {'params': self.net_g, **({'params_ema': self.net_g_ema} if hasattr(self, 'net_g_ema') else {})}
        several = sum(phase.startswith('val') for phase in self.opt['datasets']) > 1
        for metric in set(new_best).intersection(_metrics_to_save(self.opt['val'])):
            label = f'best_{metric}_{dataset}' if several else f'best_{metric}'
            self.save_network(list(nets.values()), 'net_g', label, param_key=list(nets))

    def _picture_path(self, dataset: str, image: str, current_iter: int | str) -> str:
        """Return where the host saves results."""
        stem = os.path.splitext(image)[0]
        folder = self.opt['path']['visualization']
        if self.is_train:
            return os.path.join(folder, stem, f'{os.path.basename(stem)}_{current_iter}.png')
        return os.path.join(folder, dataset, f'{stem}_{self.opt["val"].get("suffix") or self.opt["name"]}.png')

    def _metrics(self) -> dict[str, dict]:
        return (self.opt.get('val') or {}).get('metrics') or {}

    def _folder(self) -> Path:
        """Return the experiment's folder, in testing the result folder."""
        return Path(self.opt['path']['log'])


def _metrics_to_save(val_opt: dict) -> list[str]:
    wished = val_opt.get('save_best') or []
    return [wished] if isinstance(wished, str) else list(wished)
