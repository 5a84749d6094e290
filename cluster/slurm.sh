#!/bin/bash
# One build on the nodes of one Slurm job: Ray's head on the first, its workers on all.
#   sbatch --nodes=4 cluster/slurm.sh build --corpus folder:/data/faces --spaces sd15/ddim50,clip-l14 --lake /scratch/faces
#SBATCH --job-name=une-build
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --no-kill
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=une-build-%j.log
# --no-kill: the build goes on when a node fails. --requeue: it starts again when the first node failed, and does what is missing.
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?submit this script with sbatch}"
source .venv/bin/activate

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")  # a line each
address="${nodes%%$'\n'*}:$((20000 + SLURM_JOB_ID % 20000))"  # a port of this job's own

RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE RAY_AUTH_TOKEN

exec srun --no-kill --kill-on-bad-exit=0 --cpu-bind=none \
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
  -- env RAY_ADDRESS="$address" une "$@"
