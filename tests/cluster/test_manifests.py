"""The files of cluster/, by the tools that read them where those are Python, else field by field."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.runtime_env import RuntimeEnv

import une_ray
from une_ray.cli.main import app
from une_ray.run.estimate import UTILISATION
from une_ray.spaces.ddim import ROUND_TRIPS
from une_ray.spaces.space import Space

CHECKOUT = Path(__file__).parents[2]
CLUSTER = CHECKOUT / "cluster"
PINS = dict(
    line.split("==") for line in (CHECKOUT / "constraints.txt").read_text().splitlines() if "==" in line
)
IMAGE = f"une-ray:{une_ray.__version__}"


def load(name: str) -> dict:
    return yaml.safe_load((CLUSTER / name).read_text())


def load_fast(path: Path) -> dict:
    """By libyaml where it is: the published schemas are megabytes."""
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def test_the_runtime_environment_is_one_that_ray_takes():
    environment = RuntimeEnv(**load("runtime_env.yaml"))
    assert not environment.has_working_dir() and environment.env_vars() == {"PYTHONUNBUFFERED": "1"}
    assert {"/.venv", "/.git", "/demo", "/une_ray/models/weights"} <= set(environment["excludes"])


class TestRayUp:
    config = load("aws.yaml")

    def test_rays_own_schema_takes_it_with_and_without_defaults(self):
        prepared = prepare_config(self.config)
        validate_config(prepared)
        assert prepared["available_node_types"]["gpu-spot"]["max_workers"] == prepared["max_workers"] == 8

    def test_a_field_that_ray_does_not_know_would_be_refused(self):
        with pytest.raises(Exception, match="min_wokers"):
            validate_config(prepare_config(self.config | {"min_wokers": 1}))

    def test_the_head_computes_nothing_and_workers_are_spot_machines_with_gpus(self):
        head, worker = (
            self.config["available_node_types"][self.config["head_node_type"]],
            self.config["available_node_types"]["gpu-spot"],
        )
        assert head["resources"] == {"CPU": 0} and "InstanceMarketOptions" not in head["node_config"]
        assert worker["resources"]["GPU"] == 1 and worker["node_config"]["InstanceMarketOptions"] == {
            "MarketType": "spot"
        }
        assert 0 == worker["min_workers"] < worker["max_workers"]
        assert any(
            "--autoscaling-config" in line and "--num-cpus=0" in line
            for line in self.config["head_start_ray_commands"]
        )

    def test_every_node_has_the_token_and_the_image(self):
        assert (
            self.config["docker"]["image"] == IMAGE
            and "--env RAY_AUTH_MODE=token" in self.config["docker"]["run_options"]
        )
        assert "/home/ray/.ray/auth_token" in self.config["file_mounts"]


class TestKubeRay:
    cluster, job = load("raycluster.yaml"), load("rayjob.yaml")
    spec = cluster["spec"]
    head, worker = spec["headGroupSpec"], spec["workerGroupSpecs"][0]

    def test_kinds_and_names(self):
        for manifest, kind in ((self.cluster, "RayCluster"), (self.job, "RayJob")):
            assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", kind)
            assert re.fullmatch(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", manifest["metadata"]["name"])

    def test_the_jobs_cluster_is_the_standing_one(self):
        assert self.job["spec"]["rayClusterSpec"] == self.spec

    def test_ray_is_the_version_of_the_constraints_and_every_pod_has_the_image(self):
        assert self.spec["rayVersion"] == PINS["ray"]
        assert {
            pod["image"]
            for group in (self.head, self.worker)
            for pod in group["template"]["spec"]["containers"]
        } == {IMAGE}

    def test_nothing_is_scheduled_on_the_head_and_it_is_not_on_a_spot_node(self):
        assert self.head["rayStartParams"]["num-cpus"] == "0"
        terms = self.head["template"]["spec"]["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert terms["nodeSelectorTerms"][0]["matchExpressions"] == [
            {"key": "cloud.google.com/gke-spot", "operator": "DoesNotExist"}
        ]

    def test_workers_come_from_none_to_as_many_as_the_job_asks_for(self):
        assert self.spec["enableInTreeAutoscaling"] and self.spec["autoscalerOptions"]["version"] == "v2"
        assert 0 == self.worker["minReplicas"] == self.worker["replicas"] < self.worker["maxReplicas"]
        arguments = shlex.split(self.job["spec"]["entrypoint"])
        assert int(arguments[arguments.index("--gpus") + 1]) == self.worker["maxReplicas"]
        assert (
            self.worker["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
        )

    def test_pods_are_guaranteed_what_they_ask_for(self):
        """Ray takes a container's limit as what the node has: a lower request is memory that is not there."""
        for group in (self.head, self.worker):
            resources = group["template"]["spec"]["containers"][0]["resources"]
            assert (
                resources["requests"] == resources["limits"]
                and {"cpu", "memory"} <= resources["limits"].keys()
            )
            assert all(re.fullmatch(r"\d+(m|Mi|Gi)?", amount) for amount in resources["limits"].values())

    def test_workers_tolerate_what_their_nodes_are_tainted_with(self):
        pod = self.worker["template"]["spec"]
        assert pod["nodeSelector"]["cloud.google.com/gke-spot"] == "true"
        assert {toleration["key"] for toleration in pod["tolerations"]} == {
            "cloud.google.com/gke-spot",
            "nvidia.com/gpu",
        }

    def test_a_worker_that_must_go_is_drained_within_its_grace(self):
        pod = self.worker["template"]["spec"]
        shell, flag, drain = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert (shell, flag) == ("bash", "-c") and drain.startswith("ray drain-node ")
        deadline, slept = (
            int(re.search(pattern, drain)[1])
            for pattern in (r"--deadline-remaining-seconds (\d+)", r"sleep (\d+)")
        )
        assert slept < deadline < pod["terminationGracePeriodSeconds"] < 30
        subprocess.run([shell, "-n", flag, drain], check=True)

    def test_the_drain_command_is_one_that_this_ray_has(self):
        drain = self.worker["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][2]
        shown = subprocess.run(
            [Path(sys.executable).parent / "ray", "drain-node", "--help"], capture_output=True, text=True
        ).stdout
        options = [word for word in shlex.split(drain) if word.startswith("--")]
        assert (
            options and all(option in shown for option in options) and "DRAIN_NODE_REASON_PREEMPTION" in shown
        )
        assert "Will default to current node" in " ".join(shown.split())

    def test_the_job_is_a_build_that_is_started_again_and_then_cleared_away(self):
        spec = self.job["spec"]
        une, *arguments = shlex.split(spec["entrypoint"])
        assert une == "une" and arguments[0] == "build"
        typer.main.get_command(app).commands["build"].make_context(
            "build", arguments[1:]
        )  # raises what une build would refuse
        assert spec["submissionMode"] == "K8sJobMode" and spec["backoffLimit"] > 0
        assert spec["shutdownAfterJobFinishes"] and spec["ttlSecondsAfterFinished"] > 0

    @pytest.mark.skipif(
        "KUBERAY_CRDS" not in os.environ, reason="name KubeRay's folder of CRDs in KUBERAY_CRDS"
    )
    @pytest.mark.parametrize("kind", ["raycluster", "rayjob"])
    def test_kuberays_own_schema_takes_it(self, kind):
        import jsonschema

        published = load_fast(Path(os.environ["KUBERAY_CRDS"], f"ray.io_{kind}s.yaml"))
        version = next(version for version in published["spec"]["versions"] if version["name"] == "v1")
        jsonschema.validate(load(f"{kind}.yaml"), strict(version["schema"]["openAPIV3Schema"]))


def strict(schema):
    """Kubernetes' schema as JSON Schema; unknown fields are refused, and a quantity may be a number."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    closed = (
        "properties" in schema and isinstance(schema["properties"], dict) and schema.get("type") == "object"
    )
    return {key: strict(value) for key, value in schema.items()} | (
        {"additionalProperties": False} if closed else {}
    )


class TestContainerFile:
    instructions = [
        line.split(None, 1)
        for line in (CLUSTER / "Containerfile").read_text().replace("\\\n", " ").splitlines()
        if line and not line.startswith("#")
    ]

    def test_it_starts_from_ray_at_the_version_of_the_constraints(self):
        assert self.instructions[0] == ["FROM", f"rayproject/ray:{PINS['ray']}-py311-gpu"]

    def test_its_instructions_are_known_and_what_it_copies_is_here(self):
        assert {name for name, _ in self.instructions} <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV"}
        copied = [name for key, rest in self.instructions if key == "COPY" for name in rest.split()[1:-1]]
        assert {"pyproject.toml", "constraints.txt", "une_ray", "jobs"} <= set(copied)
        assert all((CHECKOUT / name).exists() for name in copied)

    def test_it_installs_under_the_constraints_with_object_stores(self):
        install = next(rest for key, rest in self.instructions if key == "RUN")
        assert shlex.split(install)[-1] == ".[cluster]" and "--constraint constraints.txt" in install

    def test_what_the_package_needs_to_build_is_copied_before(self):
        before = [
            rest
            for key, rest in self.instructions[: [key for key, _ in self.instructions].index("RUN")]
            if key == "COPY"
        ]
        assert all(name in " ".join(before) for name in ("pyproject.toml", "README.md", "LICENSE", "une_ray"))


class TestSlurm:
    script = CLUSTER / "slurm.sh"

    def test_bash_parses_it_and_directives_precede_commands(self):
        subprocess.run(["bash", "-n", self.script], check=True)
        lines = self.script.read_text().splitlines()
        first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
        assert all(
            i < first_command for i, line in enumerate(lines) if line.startswith("#SBATCH")
        )  # Slurm ignores later ones

    def test_one_ray_per_node_that_outlives_a_lost_node(self):
        options = [
            line.split(None, 1)[1]
            for line in self.script.read_text().splitlines()
            if line.startswith("#SBATCH")
        ]
        assert {"--ntasks-per-node=1", "--no-kill", "--requeue", "--open-mode=append"} <= set(options)
        assert all(re.fullmatch(r"--[a-z-]+(=\S+)?", option) for option in options)

    def test_it_starts_ray_on_all_nodes_and_builds_on_the_first(self, tmp_path):
        """With Slurm's and Ray's commands replaced by ones that say how they were called."""
        commands = {
            "scontrol": "printf 'n07\\nn08\\nn09\\n'",
            "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
            "ray": 'echo "$RAY_AUTH_MODE ${#RAY_AUTH_TOKEN}"; printf "%s\\n" "$@"',
        }
        activate = tmp_path / ".venv/bin/activate"
        activate.parent.mkdir(parents=True)
        activate.write_text(f"PATH={tmp_path}:$PATH\n")
        for name, body in commands.items():
            (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
            (tmp_path / name).chmod(0o755)
        slurm = {
            "SUBMIT_DIR": str(tmp_path),
            "JOB_NODELIST": "n[07-09]",
            "JOB_ID": "41234",
            "JOB_NUM_NODES": "3",
            "CPUS_PER_TASK": "16",
            "GPUS_ON_NODE": "4",
        }
        environment = os.environ | {f"SLURM_{key}": value for key, value in slurm.items()}
        shown = subprocess.run(
            ["bash", self.script, "build", "--lake", "/a lake"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        token, command, *arguments = shown.stdout.splitlines()
        assert (token, command) == ("token 64", "symmetric-run")
        assert arguments == [
            "--address",
            "n07:21234",
            "--min-nodes",
            "3",
            "--num-cpus=16",
            "--num-gpus=4",
            "--",
            "env",
            "RAY_ADDRESS=n07:21234",
            "une",
            "build",
            "--lake",
            "/a lake",
        ]


class TestReadme:
    text = (CLUSTER / "README.md").read_text()

    def test_it_explains_every_file(self):
        files = {path.name for path in CLUSTER.iterdir() if path.is_file()} - {"README.md"}
        assert files == set(re.findall(r"^\| `([\w.]+)` \|", self.text, re.MULTILINE))

    def test_the_estimates_are_what_the_formula_gives(self):
        rows = re.findall(
            r"^\| `(\S+)` \| ([\d.]+) \| \w+ \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|",
            self.text,
            re.MULTILINE,
        )
        assert len(rows) == 5
        for space, *figures in rows:
            teraflops, peak, seconds, gpu_hours, hours = map(float, figures)
            model = Space.parse(space).model
            assert teraflops == pytest.approx(
                model.gflops / 1000 * (49 * (1 + ROUND_TRIPS) if model.is_generator else 1), rel=0.005
            )
            assert seconds == pytest.approx(teraflops / (UTILISATION * peak), rel=0.02)
            assert gpu_hours == pytest.approx(200_000 * seconds / 3600, rel=0.02)
            assert hours == pytest.approx(gpu_hours / 8, rel=0.06, abs=0.005)
