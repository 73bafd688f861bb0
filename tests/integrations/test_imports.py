import tiny

CODE = """
import sys

class Watch:
    tried = []

    def find_spec(self, name, *_):
        if name in ('huggingface_hub', 'mmengine', 'pyiqa', 'spandrel'):
            self.tried.append(name)

sys.meta_path.insert(0, Watch())
import pkdn_basicsr
print(Watch.tried)
"""


def test_importing_the_package_asks_for_no_other_toolbox(tmp_path):
    done = tiny.run_python('-c', CODE, cwd=tmp_path)
    assert done.stdout == '[]\n', done.stderr
