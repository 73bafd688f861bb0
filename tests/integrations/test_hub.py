import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from pkdn_basicsr import PKDNStudent, PKDNTeacher
from pkdn_basicsr.export.export import export
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.weights.card import Card

hub = pytest.importorskip('huggingface_hub')

from pkdn_basicsr.integrations.hub import PKDNStudentHub  # noqa: E402

ARGUMENTS = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 2, 'num_dec_blocks': [1],
             'fusion': 'concat', 'feature_fusion': False}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError('the hub was asked')
    monkeypatch.setattr('huggingface_hub.hub_mixin.hf_hub_download', refuse)


@pytest.fixture
def student():
    return PKDNStudentHub(**ARGUMENTS).eval()


def test_round_trip(student, tmp_path):
    student.save_pretrained(tmp_path)
    assert json.loads((tmp_path / 'config.json').read_text()) == ARGUMENTS
    found = PKDNStudentHub.from_pretrained(tmp_path)
    assert not found.training
    lq = torch.rand(2, 3, 4, 6)
    with torch.no_grad():
        assert torch.equal(found(lq), student(lq))


def test_defaults_are_written_too(tmp_path):
    PKDNStudentHub(num_feat=4).save_pretrained(tmp_path)
    written = json.loads((tmp_path / 'config.json').read_text())
    assert written == {**ARGUMENTS, 'scale': 8, 'num_enc_blocks': [2, 6, 10], 'num_neck_blocks': 12,
                       'num_dec_blocks': [10, 5, 0], 'fusion': 'attention', 'feature_fusion': True}


def test_the_weights_are_those_of_a_plain_student(student, tmp_path):
    student.save_pretrained(tmp_path)
    PKDNStudent(**ARGUMENTS).load_state_dict(load_file(tmp_path / 'model.safetensors'))


def test_weights_that_do_not_fit_are_refused(student, tmp_path):
    student.save_pretrained(tmp_path)
    weights = load_file(tmp_path / 'model.safetensors')
    del weights['head.bias']
    save_file(weights, tmp_path / 'model.safetensors')
    with pytest.raises(RuntimeError, match='head.bias'):
        PKDNStudentHub.from_pretrained(tmp_path)
    PKDNStudentHub.from_pretrained(tmp_path, strict=False)


@pytest.mark.parametrize(('saved', 'taken'), [(('params', 'params_ema'), 'params_ema'), (('params',), 'params')])
def test_from_a_checkpoint_of_training(tmp_path, saved, taken):
    weights = {key: PKDNStudent(**ARGUMENTS).state_dict() for key in saved}
    torch.save(weights, tmp_path / 'net_g_latest.pth')
    student = PKDNStudentHub.from_checkpoint(tmp_path / 'net_g_latest.pth')
    assert not student.training
    assert all(torch.equal(value, weights[taken][name]) for name, value in student.state_dict().items())
    student.save_pretrained(tmp_path / 'folder')
    assert json.loads((tmp_path / 'folder' / 'config.json').read_text()) == ARGUMENTS


def test_from_a_checkpoint_of_another_network(tmp_path, usage_error):
    path = tmp_path / 'teacher.pth'
    torch.save({'params': PKDNTeacher(3, **ARGUMENTS).state_dict()}, path)
    with usage_error(path, 'PKDNStudent'):
        PKDNStudentHub.from_checkpoint(path)
    with usage_error(tmp_path / 'none.pth', 'no such file'):
        PKDNStudentHub.from_checkpoint(tmp_path / 'none.pth')


def test_card(student, tmp_path):
    about = {'license': 'cc-by-nc-4.0', 'training_data': 'CelebAMask-HQ, 24,183 faces'}
    student.save_pretrained(tmp_path, model_card_kwargs=about)
    card = hub.ModelCard.load(tmp_path / 'README.md')
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == (
        'cc-by-nc-4.0', 'pkdn_basicsr', 'image-to-image')
    assert 'face-super-resolution' in card.data.tags
    for words in ('×4', '(B, 3, 4h, 4w)', 'CelebAMask-HQ, 24,183 faces', 'weights: cc-by-nc-4.0', '2409.14385'):
        assert words in card.text


def test_no_licence_is_made_up(student, tmp_path):
    student.save_pretrained(tmp_path)
    card = hub.ModelCard.load(tmp_path / 'README.md')
    assert card.data.license == 'other'
    assert 'Trained on: not stated' in card.text
    assert 'Licence of the weights: not stated' in card.text


def test_the_card_says_what_the_weights_say(tmp_path):
    student = PKDNStudentHub.from_checkpoint('pkdn_student_small_x8')
    student.save_pretrained(tmp_path)
    card = hub.ModelCard.load(tmp_path / 'README.md')
    assert card.data.license == 'other'
    assert f'Licence of the weights: {student.card.licence};' in card.text
    assert 'non-commercial research only' in card.text
    assert f'Protocol: {student.card.protocol}.' in card.text


def test_from_weights_that_say_to_be_of_another_network(tmp_path, usage_error):
    network = {'type': 'VDSR', 'scale': 4, 'num_feat': 4, 'num_layers': 3}
    path = tmp_path / 'vdsr.safetensors'
    export(build_untrained(network).eval(), Card(network, 4, 8), 'safetensors', path)
    with usage_error(path, 'PKDNStudent'):
        PKDNStudentHub.from_checkpoint(path)
