import pytest

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.models.output_losses import OutputLoss, read_output_losses


def _read(losses):
    return read_output_losses({'output_losses': losses})


def test_a_loss_compares_its_output_with_the_image():
    loss_opt = {'type': 'MSELoss', 'loss_weight': 0.1}
    loss, = _read({'coarse': loss_opt})
    assert loss == OutputLoss('l_coarse', 'coarse', 'gt', None, loss_opt)
    assert not loss.needs_map


def test_or_with_something_made_of_the_map():
    loss, = _read({'prior': {'type': 'MSELoss', 'target': 'parsing', 'parsing_scheme': 'fsrnet'}})
    assert loss == OutputLoss('l_prior', 'prior', 'parsing', get_scheme('fsrnet'), {'type': 'MSELoss'})
    assert loss.needs_map
    assert _read({'prior': {'type': 'MSELoss', 'target': 'colours'}})[0].scheme is None


def test_several_losses_on_one_output_are_told_apart_by_their_types():
    losses = _read({'sr': [{'type': 'L1Loss'}], 'frequency': [{'type': 'L1Loss'}, {'type': 'MSELoss'}]})
    assert [(loss.name, loss.output) for loss in losses] == [
        ('l_sr', 'sr'), ('l_frequency_L1Loss', 'frequency'), ('l_frequency_MSELoss', 'frequency')]


def test_the_options_are_left_as_they_are():
    losses = {'prior': {'type': 'MSELoss', 'target': 'parsing', 'parsing_scheme': 'fsrnet'}}
    _read(losses)
    assert losses == {'prior': {'type': 'MSELoss', 'target': 'parsing', 'parsing_scheme': 'fsrnet'}}


@pytest.mark.parametrize(('losses', 'words'), [
    (None, ['train.output_losses', 'expected the losses by output', 'None']),
    ({}, ['train.output_losses', 'expected the losses by output']),
    ([{'type': 'L1Loss'}], ['train.output_losses', 'expected the losses by output']),
    ({'sr': None}, ['train.output_losses.sr', 'expected a loss', 'None']),
    ({'sr': 'L1Loss'}, ['train.output_losses.sr', 'expected a loss', "'L1Loss'"]),
    ({'sr': {'loss_weight': 1}}, ['train.output_losses.sr', 'expected a loss']),
    ({'sr': [{'type': 'L1Loss'}, {}]}, ['train.output_losses.sr', 'expected a loss']),
    ({'sr': {'type': 'L1los'}}, ['train.output_losses.sr.type', "'L1los'", "did you mean 'L1Loss'"]),
    ({'sr': {'type': 'L1Loss', 'weight': 2}}, ['train.output_losses.sr', 'L1Loss', "'weight'"]),
    ({'sr': {'type': 'PerceptualLoss'}}, ['train.output_losses.sr', 'PerceptualLoss, which gives two',
                                          'train.perceptual_opt']),
    ({'sr': {'type': 'WeightedTVLoss', 'loss_wieght': 1}}, ["did you mean 'loss_weight'"]),
    ({'sr': {'type': 'GANLoss'}}, ['train.output_losses.sr.gan_type', 'needs the argument']),
    ({'sr': []}, ['train.output_losses.sr', 'expected a loss', '[]']),
    ({'sr': {'type': 'L1Loss', 'target': 'colors'}}, ['train.output_losses.sr.target', 'colors', "mean 'colours'",
                                                      'components, gt, parsing']),
    ({'sr': {'type': 'L1Loss', 'target': 'parsing', 'parsing_scheme': 'hellen'}}, ["'hellen'", "'helen'"]),
    ({'sr': {'type': 'L1Loss', 'parsing_scheme': 'helen'}}, ['train.output_losses.sr', "'parsing_scheme'"]),
    ({'sr': [{'type': 'L1Loss'}, {'type': 'L1Loss', 'loss_weight': 2}]}, ['l_sr_L1Loss', 'one loss of each type']),
])
def test_what_cannot_be_meant_is_refused(losses, words, usage_error):
    with usage_error(*words):
        _read(losses)


def test_a_train_section_without_losses_is_refused(usage_error):
    with usage_error('train.output_losses', 'like sr: {type: L1Loss}'):
        read_output_losses({'pixel_opt': {'type': 'L1Loss'}})
