import hashlib

import pytest
import torch

from pkdn_basicsr.weights.card import Card, card_from_metadata, hash_of_weights

CARD = Card({'type': 'PKDNStudent', 'scale': 8, 'num_enc_blocks': [1, 2]}, 8, 16, 'CelebA-HQ crops', 'research only')


def test_a_card_comes_back_from_metadata_of_words():
    metadata = CARD.metadata('abc')
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata['colour_order'] == 'RGB'
    assert metadata['range'].startswith('[0, 1]')
    assert metadata['sha256'] == 'abc'
    assert card_from_metadata(metadata) == CARD


@pytest.mark.parametrize('change', [{'network': '{'}, {'network': '[]'}, {'scale': 'eight'}, {'licence': None}],
                         ids=str)
def test_damaged_metadata_are_refused(change, usage_error):
    metadata = {key: value for key, value in {**CARD.metadata('abc'), **change}.items() if value is not None}
    with usage_error('basicsr export', 'export the weights again'):
        card_from_metadata(metadata)


def test_the_hash_is_that_of_names_types_shapes_and_values():
    weights = {'b': torch.arange(4.).view(2, 2), 'a': torch.tensor(8)}
    text = b'a torch.int64 ()\n' + (8).to_bytes(8, 'little') + b'b torch.float32 (2, 2)\n'
    values = torch.arange(4.).numpy().tobytes()
    assert hash_of_weights(weights) == hashlib.sha256(text + values).hexdigest()
    assert hash_of_weights(dict(sorted(weights.items()))) == hash_of_weights(weights)
    for other in ({'c': weights['b'], 'a': weights['a']}, {**weights, 'b': weights['b'].half()},
                  {**weights, 'b': weights['b'].view(4)}, {**weights, 'b': weights['b'] + 1}):
        assert hash_of_weights(other) != hash_of_weights(weights)
