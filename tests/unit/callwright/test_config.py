"""One configuration: file and environment, every fault at once with its place, secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import Config, ConfigError, load

SWITCH = '[[switches]]\nname = "fs1"\npassword = "a-secret-word"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "callwright.toml"


def faults(file: Path | None, env: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file, env or {})
    return caught.value.faults


def test_nothing_configured_is_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(env={})
    assert config.engine.max_sessions == 2000
    assert config.engine.recordings_dir == tmp_path / ".callwright" / "recordings"


def test_the_environment_goes_over_the_file(file: Path) -> None:
    file.write_text('[engine]\nname = "from-file"\nmax_sessions = 5\n' + SWITCH, encoding="utf-8")
    config = load(file, {"CALLWRIGHT_ENGINE__NAME": "from-env", "CALLWRIGHT_SWITCHES__0__PORT": "8121"})
    assert (config.engine.name, config.engine.max_sessions, config.switches[0].port) == ("from-env", 5, 8121)


def test_lists_from_the_environment() -> None:
    env = {
        "CALLWRIGHT_API__KEYS": "one,two",
        "CALLWRIGHT_DIALPLAN__ENGINES": '["10.0.0.1:9009", "[::1]:9010"]',
        "CALLWRIGHT_SWITCHES": '[{"name": "fs1", "password": "x"}]',
    }
    config = load(env=env)
    assert [key.get_secret_value() for key in config.api.keys] == ["one", "two"]
    assert [str(engine) for engine in config.dialplan.engines] == ["10.0.0.1:9009", "[::1]:9010"]
    assert config.switches[0].name == "fs1"


def test_the_file_is_found_by_the_environment(file: Path) -> None:
    file.write_text('[engine]\nname = "e7"\n', encoding="utf-8")
    assert load(env={"CALLWRIGHT_CONFIG": str(file)}).engine.name == "e7"


def test_relative_paths_are_taken_from_the_file(file: Path) -> None:
    file.write_text('[engine]\nstate_dir = "state/../kept"\n', encoding="utf-8")
    engine = load(file, {}).engine
    assert (engine.state_dir, engine.prompts_dir) == (file.parent / "kept", file.parent / "kept" / "prompts")


def test_every_fault_is_told_at_once_with_its_place(file: Path) -> None:
    file.write_text(
        '[engine]\nmax_sessions = 0\nlisen = "x"\nlisten = "9009"\nmax_call_seconds = true\n'
        '[log]\nlevel = "loud"\n'
        "[dialplan]\nrtp_first_port = 20\nrtp_last_port = 10\n"
        "[egnine]\nname = 1\n",
        encoding="utf-8",
    )
    found = faults(file, {"CALLWRIGHT_REDIS__URL": "http://x", "CALLWRIGHT_ENGNE__NAME": "x"})
    assert sorted(found) == sorted(
        [
            "environment CALLWRIGHT_ENGNE__NAME: unknown; did you mean CALLWRIGHT_ENGINE__NAME?",
            "environment CALLWRIGHT_REDIS__URL: must begin with redis:// or rediss:// or unix://",
            f"{file}: dialplan: rtp_last_port must be above rtp_first_port (20)",
            f"{file}: egnine: unknown; did you mean engine?",
            f"{file}: engine.lisen: unknown; did you mean listen?",
            f"{file}: engine.listen: must be host:port, got '9009'",
            f"{file}: engine.max_call_seconds: must be a number, got a truth value",
            f"{file}: engine.max_sessions: must be at least 1, got 0",
            f"{file}: log.level: must be one of 'debug', 'info', 'warning' or 'error', got 'loud'",
        ]
    )


def test_faults_in_a_list_are_numbered(file: Path) -> None:
    file.write_text('[[switches]]\nname = "fs1"\npasword = "x"\n', encoding="utf-8")
    assert set(faults(file, {"CALLWRIGHT_SWITCHES__0__PORT": "70000", "CALLWRIGHT_SWITCHES__5__PORT": "1"})) == {
        "environment CALLWRIGHT_SWITCHES__5__PORT: there are only 1, number 5 comes too early",
        "environment CALLWRIGHT_SWITCHES__0__PORT: must be at most 65535, got '70000'",
        f"{file}: switches[0].password: is missing",
        f"{file}: switches[0].pasword: unknown; did you mean password?",
    }


def test_a_file_that_is_no_toml(file: Path) -> None:
    file.write_text("[engine\n", encoding="utf-8")
    assert faults(file) == (
        f"{file}: is no TOML: Expected ']' at the end of a table declaration (at line 1, column 8)",
    )


def test_a_file_that_is_not_there(file: Path) -> None:
    assert faults(file) == (f"{file}: cannot be read: No such file or directory",)


def test_a_secret_from_a_file(file: Path, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("from a file\n", encoding="utf-8")
    (tmp_path / "keys").write_text("one\ntwo\n", encoding="utf-8")
    file.write_text('[[switches]]\nname = "fs1"\npassword_file = "word"\n[api]\nkeys_file = "keys"\n', encoding="utf-8")
    config = load(file, {})
    assert config.switches[0].password.get_secret_value() == "from a file"
    assert [key.get_secret_value() for key in config.api.keys] == ["one", "two"]


def test_a_secret_given_twice_or_not_readable(file: Path, tmp_path: Path) -> None:
    (tmp_path / "word").touch()
    file.write_text(
        '[[switches]]\nname = "fs1"\npassword = "x"\npassword_file = "word"\n'
        '[[switches]]\nname = "fs2"\npassword_file = "nowhere"\n'
        '[[switches]]\nname = "fs3"\npassword_file = "word"\n',
        encoding="utf-8",
    )
    assert faults(file) == (
        f"{file}: switches[0].password_file: password is given too; leave one of them out",
        f"{file}: switches[1].password_file: cannot be read: No such file or directory",
        f"{file}: switches[2].password_file: the file is empty",
    )


@pytest.mark.req("R123")
def test_no_secret_shows(file: Path) -> None:
    secret = "geheim-4711"
    env = {
        "CALLWRIGHT_DATABASE__URL": f"postgresql://me:{secret}@db/callwright",
        "CALLWRIGHT_REDIS__PASSWORD": secret,
        "CALLWRIGHT_S3__SECRET_KEY": secret,
        "CALLWRIGHT_API__KEYS": f"{secret},{secret}-2",
        "CALLWRIGHT_DIALPLAN__EVENT_SOCKET_PASSWORD": secret,
        "CALLWRIGHT_SWITCHES__0__NAME": "fs1",
        "CALLWRIGHT_SWITCHES__0__PASSWORD": secret,
    }
    config = load(env=env)
    assert secret not in repr(config)
    assert secret not in config.model_dump_json()


@pytest.mark.req("R123")
def test_no_secret_shows_in_a_fault(file: Path) -> None:
    secret = "geheim-4711"
    env = {
        "CALLWRIGHT_DATABASE__URL": f"mysql://me:{secret}@db/callwright",
        "CALLWRIGHT_S3__ENDPOINT_URL": secret,
        "CALLWRIGHT_API__KEYS": f'["{secret}", 5]',
        "CALLWRIGHT_SWITCHES__0__PASSWORD": secret,
    }
    found = faults(None, env)
    assert len(found) == 4
    assert secret not in "\n".join(found)


@pytest.mark.parametrize(
    ("url", "password", "dsn"),
    [
        ("postgresql://me@db:5432/calls", "x/y@z", "postgresql://me:x%2Fy%40z@db:5432/calls"),
        ("postgresql://me:old@db/calls", "new", "postgresql://me:new@db/calls"),
        ("postgresql://me:old@db/calls", None, "postgresql://me:old@db/calls"),
    ],
)
def test_a_password_beside_the_url(url: str, password: str | None, dsn: str) -> None:
    env = {"CALLWRIGHT_DATABASE__URL": url} | ({"CALLWRIGHT_DATABASE__PASSWORD": password} if password else {})
    assert load(env=env).database.dsn == dsn


def test_what_a_process_needs_it_asks_for() -> None:
    with pytest.raises(ConfigError) as caught:
        Config().require("database.url", "switches", "log.level")
    assert caught.value.faults == (
        "database.url: must be set here, in the configuration file or as CALLWRIGHT_DATABASE__URL",
        "switches: must be set here, in the configuration file or as CALLWRIGHT_SWITCHES",
    )


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().engine.max_sessions = 5  # type: ignore[misc]


def test_what_would_let_strangers_in_or_mix_switches_up(file: Path) -> None:
    twins = SWITCH + SWITCH
    file.write_text('[engine]\nlisten = "0.0.0.0:9009"\n' + twins, encoding="utf-8")
    told = "\n".join(faults(file))
    assert "engine.listen: must be a loopback or private address, got 0.0.0.0" in told
    assert "switches: two of them have the name fs1" in told
    file.write_text(
        '[engine]\nlisten = "8.8.8.8:9009"\n' + SWITCH.replace("a-secret-word", "clueCON"), encoding="utf-8"
    )
    told = "\n".join(faults(file))
    assert "got 8.8.8.8" in told
    assert "switches[0].password: is FreeSWITCH's public default" in told


def test_what_stands_for_nothing(file: Path, tmp_path: Path) -> None:
    file.write_text(
        '[engine]\ndefault_country = "XX"\ndefault_language = "xx"\nprompts_dir = "nowhere"\n', encoding="utf-8"
    )
    assert set(faults(file)) == {
        f"{file}: engine.default_country: must be a country's two capital letters (ISO 3166: CZ, DE, GB), got 'XX'",
        f"{file}: engine.default_language: must be one of the languages that can be spoken (cs, en), got 'xx'",
        f"{file}: engine.prompts_dir: is no directory: {tmp_path}/nowhere",
    }
    (tmp_path / "nowhere").mkdir()
    assert load(file, {"CALLWRIGHT_ENGINE__DEFAULT_COUNTRY": "DE", "CALLWRIGHT_ENGINE__DEFAULT_LANGUAGE": "en"})


@pytest.mark.req("R7")
def test_numbers_at_which_nothing_is_recorded(file: Path) -> None:
    file.write_text(
        '[engine]\nunrecorded_numbers = ["2001", "nobody", "221234*", "112", "60*", "2001"]\n', encoding="utf-8"
    )
    assert faults(file) == (
        f'{file}: engine.unrecorded_numbers: "nobody" is not a number, an extension or a prefix that ends in *; '
        '"221234*" is longer than an extension\'s prefix (5 digits at most); '
        'write the prefix of a public number with +; "112" is an emergency number, which no route may claim',
    )
    variable = {"CALLWRIGHT_ENGINE__UNRECORDED_NUMBERS": "2001, +49301234*", "CALLWRIGHT_ENGINE__DEFAULT_COUNTRY": "DE"}
    assert load(None, variable).engine.unrecorded_numbers == ("2001", "+49301234*")


@pytest.mark.parametrize(
    ("variable", "guess"),
    [
        ("BOGUS__X", ""),
        ("ENGINE__NAME__X", ""),
        ("ENGNE__NAM", "; did you mean CALLWRIGHT_ENGINE__NAME?"),
        ("ENGINE__DEFAULT_CUNTRY", "; did you mean CALLWRIGHT_ENGINE__DEFAULT_COUNTRY?"),
        ("SWITCHES__0__PASWORD", "; did you mean CALLWRIGHT_SWITCHES__0__PASSWORD?"),
    ],
)
def test_a_guess_only_where_something_is_near(variable: str, guess: str) -> None:
    assert faults(None, {f"CALLWRIGHT_{variable}": "x"}) == (f"environment CALLWRIGHT_{variable}: unknown{guess}",)
