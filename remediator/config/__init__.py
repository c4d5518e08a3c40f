"""The configuration, `remediator.yml`: read whole or refused whole, with every mistake at its place.

`fields` holds the types of its values, `sections` what its parts may hold, `model` the whole of it,
`load` reads the file. Nothing here starts or reaches anything; only the files it names are read.
"""

from remediator.config.load import config_schema, load_config
from remediator.config.model import Config, restart_needed

__all__ = ["Config", "config_schema", "load_config", "restart_needed"]
