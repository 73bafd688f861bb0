"""Training and validation of a face parser."""

import inspect
import math

import numpy as np
from basicsr.utils import get_root_logger
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
from torch import Tensor
from torch.utils.data import DataLoader

from pkdn_basicsr.data.dataset_options import sample_scheme
from pkdn_basicsr.data.parsing_labels import ParsingScheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.confusion import class_iou, confusion_matrix, mean_iou
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.prior import check_maps
from pkdn_basicsr.models.validation_history import add_to_history


@MODEL_REGISTRY.register()
class FaceParserModel(FaceSRModel):
    """`SRModel` for a network of faces to class scores: `network_g` sees `gt` and learns `parsing`; `lq` is not used.

    `train.pixel_opt` is the loss of scores and map, such as `ParsingLoss`. Validation counts one confusion matrix over
    all faces of a set and reports the mean and every class's intersection over union, in training also in
    `validation.csv`, from which a resumed run knows the best mean; there are no other metrics and no pictures.
    """

    def __init__(self, opt: dict) -> None:
        super().__init__(opt)
        check_maps(self.get_bare_model(self.net_g), opt['datasets'])
        self.best_metric_results: dict[str, dict[str, dict]] = {}

    @staticmethod
    def check(opt: dict) -> None:
        """Check before a run the options of `FaceSRModel`, and that the loss has the network's classes.

        Raises:
            UsageError: An option does not fit, `val` asks for metrics or pictures, or there are more or fewer
                `class_frequencies` than `num_classes`.
        """
        FaceSRModel.check(opt)
        val_opt = opt.get('val') or {}
        if val_opt.get('metrics'):
            raise UsageError('val.metrics: FaceParserModel measures intersection over union and nothing else; leave it '
                             'out')
        if val_opt.get('save_img'):
            raise UsageError('val.save_img: FaceParserModel saves no pictures; set it to false')
        if not opt['is_train']:
            return
        frequencies = (opt['train'].get('pixel_opt') or {}).get('class_frequencies')
        num_classes = _num_classes(opt['network_g'])
        if frequencies and num_classes and len(frequencies) != num_classes:
            raise UsageError(f'train.pixel_opt.class_frequencies: expected one for each of the {num_classes} classes '
                             f'of network_g (num_classes), found {len(frequencies)}; make them equal')

    def feed_data(self, data: dict) -> None:
        """Move a batch of `gt` and `parsing` to the device, the map as one byte a pixel."""
        if 'parsing' not in data:
            raise UsageError('FaceParserModel needs the parsing map of every face: set dataroot_parsing in the data '
                             "set's options")
        self.keep(data)
        self.gt = self.image_to_device(data['gt'])
        self.parsing = data['parsing'].to(self.device, non_blocking=True)

    def network_inputs(self) -> tuple[Tensor, ...]:
        """Return the true face."""
        return (self.gt,)

    def compute_losses(self, current_iter: int) -> dict[str, Tensor]:
        """Return the loss of the scores."""
        self.output = self.net_g(self.gt)
        return {'l_parsing': self.cri_pix(self.output, self.parsing)}

    def dist_validation(self, dataloader: DataLoader, current_iter: int | str, tb_logger, save_img: bool) -> None:
        """Validate on the first process."""
        if self.opt['rank'] == 0:
            self.nondist_validation(dataloader, current_iter, tb_logger, save_img)

    def nondist_validation(self, dataloader: DataLoader, current_iter: int | str, tb_logger, save_img: bool) -> None:
        """Set `self.metric_results` (`miou`, `iou_<class>` of the classes in the truth) and log them."""
        scheme = sample_scheme(dataloader.dataset.opt)
        confusion = self._count(dataloader, scheme.num_classes)
        self.metric_results = _results(confusion, scheme)
        self._report(dataloader.dataset.opt['name'], current_iter, tb_logger)

    def _count(self, dataloader: DataLoader, num_classes: int) -> np.ndarray:
        confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        for data in dataloader:
            self.feed_data(data)
            self.test()
            confusion += confusion_matrix(data['parsing'].numpy(), self.output.argmax(1).cpu().numpy(), num_classes)
        return confusion

    def _report(self, dataset_name: str, current_iter: int | str, tb_logger) -> None:
        self._initialize_best_metric_results(dataset_name)
        self._update_best_metric_result(dataset_name, 'miou', self.metric_results['miou'], current_iter)
        best = self.best_metric_results[dataset_name]['miou']
        lines = [f'{metric}: {value:.4f}' for metric, value in self.metric_results.items()]
        lines[0] += f'\tBest: {best["val"]:.4f} @ {best["iter"]} iter'
        get_root_logger().info('\n\t # '.join([f'Validation {dataset_name}', *lines]))
        if tb_logger:
            for metric, value in self.metric_results.items():
                tb_logger.add_scalar(f'metrics/{dataset_name}/{metric}', value, current_iter)
        if self.is_train:
            add_to_history(self._folder() / 'validation.csv', current_iter, dataset_name, self.metric_results)

    def _metrics(self) -> dict[str, dict]:
        """Return the metric whose best value is kept; without a section `val` nothing is measured."""
        return {'miou': {}} if self.opt.get('val') else {}

    def _initialize_best_metric_results(self, dataset_name: str) -> None:
        """Begin the host's record of a data set; the host itself would ask `val.metrics`."""
        self.best_metric_results.setdefault(dataset_name, {'miou': {'better': 'higher', 'val': -math.inf, 'iter': -1}})


def _num_classes(network_opt: dict) -> int | None:
    """Return the number of classes as the option file or else the network's default has it, where they tell."""
    parameter = inspect.signature(ARCH_REGISTRY.get(network_opt['type'])).parameters.get('num_classes')
    return network_opt.get('num_classes', parameter.default if parameter else None)


def _results(confusion: np.ndarray, scheme: ParsingScheme) -> dict[str, float]:
    per_class = zip(scheme.classes, class_iou(confusion), strict=True)
    return {'miou': mean_iou(confusion),
            **{f'iou_{name}': float(iou) for name, iou in per_class if not math.isnan(iou)}}
