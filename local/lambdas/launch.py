"""How a function's process is started: under the runtime interface client, with Lambda's environment."""

import compileall
import importlib.metadata
import os
import py_compile
import shutil
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from local.children import Child, Children
from local.deployment import Function
from local.template import REGION

RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")


def runtime_folder(build: Path) -> Path:
    """A folder with the Lambda runtime interface client and what it needs, made where it is not there yet."""
    versions = "-".join(importlib.metadata.version(package) for package in RUNTIME_PACKAGES)
    folder = build / f"awslambdaric-{versions}-{sys.implementation.cache_tag}"
    if folder.is_dir():
        return folder
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix=".awslambdaric-") as temporary:
        made = Path(temporary) / "runtime"
        for package in RUNTIME_PACKAGES:
            for file in importlib.metadata.files(package) or []:
                if ".." in file.parts or "__pycache__" in file.parts:
                    continue
                target = made / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
        compileall.compile_dir(made, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another stack was faster
                raise
    return folder


@dataclass(frozen=True)
class Launcher:
    """Starts processes. `runtime`: a `runtime_folder`. `environment`: of every function, beside its template's."""

    children: Children
    runtime: Path
    environment: Mapping[str, str]

    def launch(self, function: Function, runtime_api_port: int, log: BinaryIO) -> Child:
        """One more process of a function. Raises Stopping."""
        # -S: without the virtual environment's packages. -B: Lambda's code folder cannot be written to.
        return self.children.start(
            [sys.executable, "-S", "-B", "-m", "awslambdaric", function.handler],
            cwd=function.code_path,
            environment={
                **self._lambda_environment(function, runtime_api_port),
                **self.environment,
                **function.environment,
            },
            stdout=log,
            stderr=log,
        )

    def _lambda_environment(self, function: Function, runtime_api_port: int) -> dict[str, str]:
        """What Lambda sets, https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
        layers = [layer / "python" for layer in function.layer_paths]
        return {
            "_HANDLER": function.handler,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_api_port}",
            "AWS_REGION": REGION,
            "LAMBDA_RUNTIME_DIR": str(self.runtime),
            "LAMBDA_TASK_ROOT": str(function.code_path),
            "LANG": "en_US.UTF-8",
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(str(path) for path in (function.code_path, *layers, self.runtime)),
            "TZ": ":UTC",
            # What a machine has and Lambda has not: a developer's own AWS settings.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
