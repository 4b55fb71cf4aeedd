"""No key in git: what is tracked, and what the hook refuses."""

import configparser
import subprocess
import sys
from pathlib import Path

import yaml

# Options of DVC's remotes that hold a secret, or where one is.
SECRET_OPTIONS = {
    *("access_key_id", "secret_access_key", "session_token", "credentialpath", "configpath"),
    *("user", "password", "token", "keyfile", "passphrase", "custom_auth_header", "cert_path"),
    *("account_key", "connection_string", "sas_token", "client_secret", "credentials", "key_path"),
}


def tracked(root: Path) -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.split()


def hook(root: Path) -> list[str]:
    """The command of the pre-commit hook."""
    repos = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for repo in repos for hook in repo["hooks"] if hook["id"] == "secrets"]
    command, *options = entries[0].split()
    return [str(Path(sys.executable).parent / command), *options]


def test_the_committed_settings_of_dvc_hold_no_secret(root: Path) -> None:
    config = configparser.ConfigParser()
    config.read(root / ".dvc" / "config")
    options = {option for section in config.sections() for option in config[section]}
    assert "url" in options
    assert not options & SECRET_OPTIONS
    assert not any("@" in config[s].get("url", "") for s in config.sections())


def test_local_settings_of_dvc_cannot_be_added_by_accident(root: Path) -> None:
    ignored = subprocess.run(["git", "check-ignore", ".dvc/config.local"], cwd=root)
    assert ignored.returncode == 0
    assert ".dvc/config.local" not in tracked(root)


def test_no_tracked_file_holds_a_secret(root: Path) -> None:
    files = [name for name in tracked(root) if (root / name).is_file()]
    done = subprocess.run([*hook(root), *files], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_hook_refuses_a_key(root: Path, tmp_path: Path) -> None:
    key = "AKIA" + "QYLPMN5HHHFPZAM2"  # an example from no account, in two pieces for the hook
    (tmp_path / "config").write_text(f"access_key_id = {key}\n")
    done = subprocess.run([*hook(root), "config"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "AWS Access Key" in done.stdout
    assert key not in done.stdout
