"""Run a command where no address ever answers: `unshare --user --map-root-user --net python silent_network.py
COMMAND`.

Whatever is sent goes into a tun device that nobody reads, as into a network whose firewall drops packets."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
COMMANDS = (
    "ip link set lo up && ip addr add 10.9.9.1/24 dev silent && ip link set silent up"
    " && ip route add default via 10.9.9.2"
)


def main(words: list[str]) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"silent", IFF_TUN | IFF_NO_PI))
    subprocess.run(COMMANDS, shell=True, check=True)
    return subprocess.run(words).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
