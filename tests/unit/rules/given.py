"""A small configuration for rule files to be held against, with the real actions and checks."""

from pathlib import Path

from remediator import actions, checks
from remediator.model.command import CommandSpec, ParamSpec
from remediator.model.service import Service, Target, TargetKind
from remediator.rules.load import load_rules
from remediator.rules.ruleset import RuleSet

SERVICES = {
    "robo-rlhf": Service(name="robo-rlhf", target=Target(kind=TargetKind.COMPOSE_SERVICE, name="robo-rlhf")),
    "redis": Service(name="redis", target=Target(kind=TargetKind.COMPOSE_SERVICE, name="redis")),
    "wandb": Service(name="wandb", target=Target(kind=TargetKind.NONE)),
}
COMMANDS = {
    "flush": CommandSpec(
        name="flush",
        argv=("/usr/bin/flush", "{level}"),
        params={"level": ParamSpec(type="enum", values=("soft", "hard"))},
    ),
    "look": CommandSpec(name="look", argv=("/usr/bin/look",)),
}
ACTIONS = actions.registry(COMMANDS)
CHECKS = checks.registry(COMMANDS)


def load(*paths: Path) -> RuleSet:
    """Read rule files against what is given here."""
    return load_rules(paths, services=SERVICES, actions=ACTIONS, checks=CHECKS)


def rule_file(folder: Path, *rules: str, name: str = "rules.yml") -> Path:
    """A rule file with one group; each rule is written as one flow mapping."""
    file = folder / name
    file.write_text("groups:\n- name: g\n  rules:\n" + "".join(f"  - {rule}\n" for rule in rules))
    return file


def minimal(name: str = "r", more: str = "") -> str:
    """A rule with nothing in it that it could do without."""
    return f"{{name: {name}, service: robo-rlhf, steps: [restart: ]{', ' if more else ''}{more}}}"
