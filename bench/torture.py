"""What becomes of mails while the daemon is killed at random moments, its mail servers fail at every step, and its disk fills up.

See `lab/torture.py` for what is done. `--rounds` is the number of kills.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

from bench.harness import Row, Run
from lab.torture import Torture

KILLS = 100
SEED = 1


def measure(run: Run) -> dict[str, Any]:
    """One run with as many kills as asked for."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder := run.folder / "torture").mkdir()
    began = time.monotonic()
    found = Torture(folder, seed=SEED, kills=run.rounds or KILLS).run()
    for each in (*found.lost, *found.twice_for_nothing, *found.out_of_order):
        print(f"  {each}", flush=True)
    row: Row = {
        "kills": found.kills, "full disks": found.full_disks, "incidents": found.incidents, "mails": found.mails,
        "sent": found.sent, "superseded": found.superseded, "refused, told later": found.failed,
        "refused, sent once more": found.retried, "told to Alertmanager": found.alerts,
        "emergency mails": found.emergencies, "lost": len(found.lost), "twice": found.twice,
        "twice for nothing": len(found.twice_for_nothing), "out of order": len(found.out_of_order),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }  # fmt: skip
    return {"tables": {"torture: mails": {"ours": row}}}
