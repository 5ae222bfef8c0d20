"""Rooms that tell of themselves over HTTPS: a real nginx with basic authentication, as RoomOS has one inside, with documents of ours.

No device was at hand. The documents have the shape and words of the makers' guides, of the schemas that Cisco publishes for its releases,
and of answers that others recorded (AVI-SPL's adapters for Cisco codecs and for Poly VideoOS).
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.certificates import Authority
from monitor.yamlfile import read
from tests.probes.peers import GIVE_UP_SECONDS, LOOPBACK, Server, accepts, free_port, program

USER, PASSWORD, SESSION, TOKEN = "monitor", "mật-khẩu/1", "c0ffee-1", "x1/y2=="
PROFILES: Any = read(Path(__file__).parent.parent.parent / "config" / "examples" / "telling-rooms.yaml").value
SHIPPED: Mapping[str, Any] = {
    options["api"]: options["values"]
    for name in ("cisco-room-api", "poly-room-api")
    for options in [PROFILES["profiles"][name]["checks"]["status"]["options"]]
}
"""What the shipped profiles read, by api."""


def cisco(
    *, mute: str = "Off", cameras: tuple[str, ...] = ("True", "False"), sip: str = "Registered", gatekeeper: str = "Inactive",
    calls: int = 0, lost: int = 0, messages: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """`/Status` of a room; `lost` of 1000 packets are lost in its call, `messages`: levels by type."""
    camera = "".join(
        f'<Camera item="{n}" maxOccurrence="n"><Connected>{each}</Connected></Camera>'
        for n, each in enumerate(cameras, 1)
    )
    found = "".join(
        f'<Message item="{n}" maxOccurrence="n"><Description/><Level>{level}</Level><Type>{kind}</Type></Message>'
        for n, (kind, level) in enumerate((messages or {"TCPMediaFallback": "Info"}).items(), 1)
    )
    channels = "".join(
        f'<Channel item="{n}"><Direction>{way}</Direction><Netstat><Jitter>{n}</Jitter><LastIntervalLost>{gone}</LastIntervalLost>'
        f"<LastIntervalReceived>{1000 - gone}</LastIntervalReceived></Netstat><Type>{media}</Type></Channel>"
        for n, (way, media, gone) in enumerate(
            [
                ("Incoming", "Audio", 0),
                ("Incoming", "Video", lost),
                ("Outgoing", "Video", 900),
                ("Incoming", "Data", 0),
            ],
            1,
        )
    )
    call = f'<MediaChannels><Call item="1">{channels}</Call></MediaChannels>' if calls else "<MediaChannels/>"
    return f"""<?xml version="1.0"?>
<Status product="Cisco Codec" version="ce11.24.1.5" apiVersion="4">
  <Audio><Microphones><Mute>{mute}</Mute><MusicMode>Off</MusicMode></Microphones><Volume>70</Volume></Audio>
  <Cameras>{camera}<SpeakerTrack><Status>Inactive</Status></SpeakerTrack></Cameras>
  <Diagnostics>{found}</Diagnostics>
  <H323><Gatekeeper><Address/><Status>{gatekeeper}</Status></Gatekeeper></H323>
  {call}
  <SIP><Proxy item="1"><Status>Active</Status></Proxy><Registration item="1" maxOccurrence="n"><Status>{sip}</Status></Registration></SIP>
  <Standby><State>Off</State></Standby>
  <SystemUnit><State><NumberOfActiveCalls>{calls}</NumberOfActiveCalls><NumberOfInProgressCalls>0</NumberOfInProgressCalls></State></SystemUnit>
</Status>"""


def history(*, days_ago: int = 0, audio: float = 0.0, video: float = 0.0) -> str:
    """The last call, with what it lost in percent."""
    media = "".join(
        f"<{kind}><Incoming><MaxJitter>8</MaxJitter><PacketLoss>1/350</PacketLoss><PacketLossPercent>{loss}</PacketLossPercent></Incoming>"
        f"<Outgoing><PacketLossPercent>99</PacketLossPercent></Outgoing></{kind}>"
        for kind, loss in (("Audio", audio), ("Video", video))
    )
    return f"""<?xml version="1.0"?>
<Command><CallHistoryGetResult status="OK"><Entry item="0" maxOccurrence="n"><CallHistoryId>316</CallHistoryId><CallId>159</CallId>
<DaysAgo>{days_ago}</DaysAgo>{media}</Entry><ResultInfo><Limit>1</Limit><Offset>0</Offset></ResultInfo></CallHistoryGetResult></Command>"""


def poly(
    *,
    muted: bool = False,
    microphones: int = 1,
    cameras: tuple[bool, ...] = (True,),
    sip: str = "UP",
    loss: float | None = None,
) -> dict[str, Any]:
    """The documents of a room by their path below `/rest/`; `loss` in percent of the call that it is in."""
    call = {"id": 7, "isActive": True, "connections": [{"id": 1, "callType": "SIP"}], "terminals": []}
    media = [
        {"mediaDirection": way, "mediaType": "VIDEO", "jitter": 12, "packetLoss": 1, "percentPacketLoss": lost}
        for way, lost in (("RX", loss), ("TX", 90.0))
    ]
    server = {"address": "10.0.0.1", "model": "Unknown", "state": sip, "version": ""}
    return {
        "audio": {"muteLocked": False, "muted": muted, "numOfMicsConnected": microphones, "volume": 39},
        "cameras/near/people": [{"name": "Main", "connected": each, "selected": True} for each in cameras],
        "conferences": [] if loss is None else [call],
        "conferences/7/mediastats": media,
        "system/sipservers": [server],
        "system/h323gatekeepers": [],
    }


ROOMS: Mapping[str, Mapping[str, str]] = {
    name: {"getxml": status, "putxml": last}
    for name, status, last in [
        ("cisco.example", cisco(), history(audio=0.5, video=1.0)),
        ("in-call.example", cisco(calls=1, lost=5), history(days_ago=3, video=60)),
        ("trouble.example", cisco(mute="On", cameras=("False", "False"), sip="Failed", gatekeeper="Rejected", calls=1, lost=80,
                                  messages={"MicrophonesConnected": "Error", "FanStatus": "Critical"}), history(video=9.0)),
        ("new.example", cisco(), '<Command><CallHistoryGetResult status="Error"><Reason>None</Reason></CallHistoryGetResult></Command>'),
        ("page.example", "<!DOCTYPE html><html><body>Log in", history()),
        ("large.example", cisco() + " " * 600_000, history()),
        ("bare.example", "<EmptyResult/>", "<EmptyResult/>"),
        ("closes.example", cisco(), history()), ("reads.example", cisco(), history()), ("away.example", cisco(), history()),
        ("keeps.example", cisco(), history()), ("old.example", cisco(), history()), ("slow.example", cisco() + " " * 200_000, history()), ("silent-cookie.example", cisco(), history()),
        ("locked.example", cisco(), history()), ("busy.example", cisco(), history()),
    ]
} | {
    name: {path: json.dumps(each) for path, each in told.items()}
    for name, told in [
        ("poly.example", poly()),
        ("poly-in-call.example", poly(loss=1.5)),
        ("poly-trouble.example", poly(muted=True, microphones=0, cameras=(False,), sip="DOWN", loss=8.0)),
        ("poly-refuses.example", poly()),
        ("poly-strange.example", {**poly(), "conferences": [{"id": "7/../../session"}]}),
    ]
}  # fmt: skip
"""Documents by the name that is asked for."""

_CISCO = """
    location = /xmlapi/session/begin {{ auth_basic "xAPI"; auth_basic_user_file {users}; proxy_pass http://{backend}/{begin}; }}
    location = /xmlapi/session/end {{ {end} }}
    location = /getxml {{
      {away}
      if ($known = "") {{ return 401; }}
      if ($arg_location != "/Status") {{ return 404; }}
      default_type text/xml; gzip on; gzip_types text/xml; gzip_min_length 1;
      alias {docs}/getxml;
    }}
    location = /putxml {{
      if ($known = "") {{ return 401; }}
      {reads}
      proxy_method GET; proxy_pass http://{backend}/docs/{name}/putxml;
    }}
"""
_POLY = """
    location = /rest/session {{ {refuses} if ($request_method = DELETE) {{ return 200; }} proxy_pass http://{backend}/poly; }}
    location /rest/ {{
      if ($known_poly = "") {{ return 403; }}
      if ($http_x_xsrf_token != "{token}") {{ return 403; }}
      default_type application/json;
      rewrite ^/rest/(.*)$ /docs/{name}/$1 break;
      root {folder};
    }}
"""


class Telling(Server):
    """nginx with all of `ROOMS`, picked by the option `server_name`."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder, "telling")
        self.authority = authority
        self.port, self.backend = free_port(), free_port()
        self._asked = folder / "asked.log"
        self._seen = 0

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self.authority.ca.read_text()}

    def asked(self) -> list[str]:
        """What was asked since the last call, each with its status."""
        # Its one worker logs an answer when that was sent, and before it takes the next question.
        urllib.request.urlopen(f"http://{LOOPBACK}:{self.backend}/nothing", timeout=GIVE_UP_SECONDS).close()
        lines = self._asked.read_text(encoding="utf-8").splitlines()
        found, self._seen = lines[self._seen :], len(lines)
        return found

    def start(self) -> None:
        for name, told in ROOMS.items():
            for path, document in told.items():
                # A list and what is below it: nginx serves the file of a folder.
                file = self.folder / "docs" / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                (file if path != "conferences" else file.with_name("conferences.json")).write_text(
                    document, encoding="utf-8"
                )
        users = self.folder / "users"
        users.write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
        certificate, key = self.authority.issue("telling", list(ROOMS))
        temporary = "\n".join(
            f"{each}_temp_path {self.folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        backend = f"{LOOPBACK}:{self.backend}"
        servers = "".join(
            f"""
  server {{
    listen {LOOPBACK}:{self.port} ssl; server_name {name};
    ssl_certificate {certificate}; ssl_certificate_key {key};
    {"keepalive_timeout 0;" if name == "closes.example" else ""}
    location = /rest/conferences {{ if ($known_poly = "") {{ return 403; }} default_type application/json; alias {self.folder}/docs/{name}/conferences.json; }}
    """
            + (_POLY if name.startswith("poly") else _CISCO).format(
                users=users, backend=backend, docs=self.folder / "docs" / name, name=name, folder=self.folder, token=TOKEN,
                begin={"old.example": "moved", "silent-cookie.example": "nothing", "locked.example": "locked", "busy.example": "busy"}.get(name, "begin"),
                end="return 503;" if name == "keeps.example" else "return 204;",
                away={"away.example": "return 302 https://elsewhere.example/getxml;", "slow.example": "limit_rate 1;"}.get(name, ""),
                reads="return 403;" if name == "reads.example" else "",
                refuses="return 403;" if name == "poly-refuses.example" else "",
            )
            + "\n  }"
            for name in ROOMS
        )  # fmt: skip
        settings = self.folder / "telling.conf"
        settings.write_text(
            f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {self.folder}/telling.pid;
events {{ worker_connections 64; }}
http {{
  log_format asked escape=none '$request_method $request_uri $status$told_cookie$told_body';
  map $cookie_SessionId $known {{ default ""; "{SESSION}" 1; }}
  map $cookie_session_id $known_poly {{ default ""; "{SESSION}" 1; }}
  map $http_cookie $told_cookie {{ default " with $http_cookie"; "" ""; }}
  map $request_body $told_body {{ default " $http_content_type $request_body"; "" ""; }}
  access_log off;
  {temporary}
  server {{
    listen {backend};
    location = /begin {{ add_header Set-Cookie "SessionId={SESSION}; Path=/; Secure; HttpOnly"; return 204; }}
    location = /nothing {{ return 204; }}
    location = /moved {{ return 302 /login; }}
    location = /locked {{ return 423; }}
    location = /busy {{ return 429; }}
    location = /poly {{
      default_type application/json;
      add_header Set-Cookie "session_id={SESSION}; Path=/; Secure; HttpOnly"; add_header Set-Cookie "XSRF-TOKEN={TOKEN}; Path=/";
      return 200 '{{"success":true,"session":{{"sessionId":"{SESSION}","isAuthenticated":true}}}}';
    }}
    location /docs/ {{ default_type text/xml; root {self.folder}; }}
  }}
  {servers.replace("server_name", f"access_log {self._asked} asked; server_name")}
}}
""",
            encoding="utf-8",
        )
        self.spawn(
            [program("nginx"), "-c", str(settings), "-e", str(self.log), "-p", str(self.folder)],
            lambda: accepts(self.port) and accepts(self.backend),
        )
