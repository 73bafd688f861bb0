"""What the source distribution and the wheel hold."""

import re
import tarfile
import zipfile
from email import message_from_bytes

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name


@pytest.fixture(scope='module')
def metadata(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        return message_from_bytes(wheel.read(next(name for name in wheel.namelist() if name.endswith('/METADATA'))))


@pytest.mark.parametrize('which', ['wheel', 'wheel_of_sdist'])
def test_a_wheel_is_the_package_and_the_option_files(built, which, source_files):
    with zipfile.ZipFile(getattr(built, which)) as wheel:
        found = {name: wheel.read(name) for name in wheel.namelist() if '.dist-info/' not in name}
    expected = {name if name.startswith('pkdn_basicsr/') else f'pkdn_basicsr/{name}': path.read_bytes()
                for name, path in source_files.items() if name.startswith(('pkdn_basicsr/', 'options/'))}
    assert found.keys() == expected.keys()
    assert found == expected
    assert {'pkdn_basicsr/py.typed', 'pkdn_basicsr/options/pkdn_student.yml'} <= found.keys()
    assert any(re.fullmatch(r'pkdn_basicsr/weights/face_parser-\w+\.safetensors', name) for name in found)


def test_the_wheel_is_for_every_machine_and_has_the_licence(built):
    assert built.wheel.name.endswith('-py3-none-any.whl')
    with zipfile.ZipFile(built.wheel) as wheel:
        assert any(re.search(r'\.dist-info/.*LICENSE$', name) for name in wheel.namelist())


def test_the_source_distribution_is_what_a_clone_has(built, source_files):
    with tarfile.open(built.sdist) as archive:
        found = {member.name.partition('/')[2] for member in archive.getmembers() if member.isfile()}
    made = {name for name in found if name in ('PKG-INFO', 'setup.cfg') or name.startswith('pkdn_basicsr.egg-info/')}
    assert found - made == {name for name in source_files if not name.startswith('.')}


def test_supported_pythons_are_the_classified_ones(metadata):
    supported = SpecifierSet(metadata['Requires-Python'])
    classified = {text.rpartition(' ')[2] for text in metadata.get_all('Classifier') if ':: Python :: 3.' in text}
    assert classified == {f'3.{minor}' for minor in range(50) if f'3.{minor}' in supported}


def test_the_readme_tells_about_every_extra(metadata, request):
    readme = (request.config.rootpath / 'README.md').read_text()
    for extra in metadata.get_all('Provides-Extra'):
        assert re.search(rf'[`\[]{extra}[`\]]', readme), extra


def test_what_is_required_is_pinned_to_a_version_that_will_do(metadata, request):
    """A pin outside a range would make `scripts/setup_env.sh` fail, which CI only notices where it installs anew."""
    text = (request.config.rootpath / 'scripts' / 'constraints.txt').read_text()
    pins = [Requirement(line) for line in text.splitlines() if line and not line.startswith('#')]
    pinned = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
    wanted = [Requirement(line) for line in metadata.get_all('Requires-Dist')]
    assert {canonicalize_name(requirement.name) for requirement in wanted} - pinned.keys() == set()
    for requirement in wanted:
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
