"""Other people's packages that add networks, datasets or metrics to the same command."""

from importlib.metadata import entry_points

from pkdn_basicsr.errors import UsageError

GROUP = 'basicsr.plugins'


def import_plugins() -> list[str]:
    """Import every installed module declared as an entry point in the group `basicsr.plugins`.

    A package declares itself in its setup.py by
    `entry_points={'basicsr.plugins': ['my_faces = my_faces']}` and registers its classes on import.

    Returns:
        The names of the imported entry points, sorted.

    Raises:
        UsageError: A plugin cannot be imported; the message names its entry point.
    """
    plugins = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for plugin in plugins:
        try:
            plugin.load()
        except Exception as error:
            raise UsageError(f"plugin '{plugin.name}' ({plugin.value}) cannot be imported: "
                             f'{type(error).__name__}: {" ".join(str(error).split())}') from error
    return [plugin.name for plugin in plugins]
