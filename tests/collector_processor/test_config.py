from pathlib import Path

import pytest

from collector_processor.config import Assemble, Config, load, schema
from collector_processor.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "collector.yaml"
    path.write_text(text)
    return path


def test_an_almost_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, "version: 1\n"), {}) == Config()


def test_every_key_that_is_given_is_taken(tmp_path: Path) -> None:
    text = """\
version: 1
receivers: {otlp: {http: {endpoint: 127.0.0.1:5000}, max_request_mib: 8}}
processors: {assemble: {settle_s: 1, quiet_s: 3, deadline_s: 30}, evaluators: [pii]}
exporters: {otlp: [{endpoint: "http://tempo:4318", headers: {x-scope: a}}]}
policies: ["policy:POLICY"]
inventory: inventory.yaml
"""
    config = load(write(tmp_path, text), {})
    assert config.receivers.otlp.http.endpoint == "127.0.0.1:5000"
    assert config.receivers.otlp.max_request_mib == 8
    assert config.processors.assemble == Assemble(settle_s=1, quiet_s=3, deadline_s=30)
    assert config.exporters.otlp[0].headers == {"x-scope": "a"}
    assert config.policies == ("policy:POLICY",)


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("${env:HOST}:4318", {"HOST": "127.0.0.2"}, "127.0.0.2:4318"),
        ("${env:HOST:-127.0.0.3}:4318", {}, "127.0.0.3:4318"),
        ("$${env:HOST}", {}, "${env:HOST}"),
    ],
)
def test_texts_take_values_of_the_environment(
    tmp_path: Path, text: str, environ: dict[str, str], expected: str
) -> None:
    path = write(tmp_path, f'version: 1\nreceivers: {{otlp: {{http: {{endpoint: "{text}"}}}}}}\n')
    assert load(path, environ).receivers.otlp.http.endpoint == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nreceiver: {}\n", "line 2: unknown key `receiver`. Did you mean `receivers`?"),
        (
            "version: 1\nreceivers:\n  otlp:\n    htpp: {endpoint: a}\n",
            "line 4: unknown key `receivers.otlp.htpp`. Did you mean `http`?",
        ),
        (
            "version: 1\nexporters:\n  otlp:\n    - endpoint: a\n      protcol: grpc\n",
            "line 5: unknown key `exporters.otlp.0.protcol`. Did you mean `protocol`?",
        ),
        ("version: 2\n", "line 1: `version`: Invalid enum value 2"),
        ("receivers: {}\n", "`version`: "),
        (
            "version: 1\nprocessors: {assemble: {settle_s: 0}}\n",
            "line 2: `processors.assemble.settle_s`: Expected `float` > 0.0",
        ),
        (
            "version: 1\nprocessors: {assemble: {quiet_s: .inf}}\n",
            "line 2: `processors.assemble.quiet_s`: Expected `float` <= 2592000.0",
        ),
        (
            "version: 1\nreceivers: {otlp: {max_request_mib: 99999999999}}\n",
            "line 2: `receivers.otlp.max_request_mib`: Expected `int` <= 1024",
        ),
        *(
            (
                f"version: 1\nexporters:\n  otlp:\n    - endpoint: '{endpoint}'\n",
                f"line 3: `exporters.otlp.0`: `endpoint` {said}",
            )
            for endpoint, said in (
                ("garbage", "is 'garbage', no address"),
                ("ftp://x:1", "is 'ftp://x:1', no address"),
                ("http://", "is 'http://', no address"),
                ("localhost:4318", "is 'localhost:4318', no address"),
                ("http://x:4318/v1/traces", "ends in a signal's path"),
            )
        ),
        ("version: 1\nauth: {tokens: []}\n", "line 2: `auth` (tokens and roles) is not built yet"),
        ("- 1\n", "holds no mapping"),
        ("version: [1\n", "is not YAML"),
        (
            'version: 1\ninventory: "${env:NOWHERE}"\n',
            "asks for the environment variable NOWHERE, which is not set",
        ),
    ],
)
def test_a_wrong_file_names_the_key_and_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml", {})


def test_the_schema_knows_every_part_of_the_file() -> None:
    assert set(schema()["$defs"]["Config"]["properties"]) == set(Config.__struct_fields__)
