"""The columns of the spreadsheet: what they are called, what is filled in, and what stands there now."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from monitor.core.words import Language
from monitor.exchange.sayings import cut
from monitor.exchange.written import Written, WrittenSite
from probes.registry import Bandwidth

Value = str | float | tuple[str, ...]
"""What a cell means; "" where it is empty. Bandwidths in bits per second, angles in degrees."""

_BITS: TypeAdapter[float] = TypeAdapter(Bandwidth)
_PHONE = re.compile(r"(?P<contact>.*?)(?:, )?ĐT (?P<phone>[\d .()/,;+-]+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column."""

    key: str
    """What it is about: `name`, or `tslcd:provider` of a line, `vars:n` of a word of the templates."""
    form: Literal["text", "code", "phone", "id", "address", "names", "bandwidth", "latitude", "longitude"] = "text"
    headers: Mapping[Language, str]
    formerly: tuple[str, ...] = ()
    """Headings of workbooks that were given out before it was called so."""
    notes: Mapping[Language, str]
    example: str = ""
    required: bool = False
    width: int = 16
    choices: Literal["", "providers", "profiles", "templates", "sites"] = ""
    """The list that it is chosen from."""
    for_admins: bool = False
    """Nothing that a clerk fills in."""
    longest: int = 253
    """Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One sheet."""

    name: Literal["sites", "devices"]
    titles: Mapping[Language, str]
    columns: Sequence[Column]
    keys: tuple[str, ...]
    """Columns of which a sheet must have one, or it is another table."""

    def column(self, key: str) -> Column:
        """By its key."""
        return next(each for each in self.columns if each.key == key)


def tables(written: Written) -> tuple[Table, Table]:
    """Sites and devices of an inventory: its lines and the words of its templates have columns of their own."""
    sites = Table(
        name="sites", titles={"vi": "Xã, phường", "en": "Sites"}, keys=("id", "name"),
        columns=[*_SITE, *(each for name, label in _labels(written).items() for each in _line(name, label)), *map(word_column, written.vars())],
    )  # fmt: skip
    return sites, Table(name="devices", titles={"vi": "Thiết bị", "en": "Devices"}, columns=_DEVICE, keys=("device",))


_SITE = [
    Column(
        key="id", form="id", headers={"vi": "Mã định danh", "en": "Id"}, example="xa-tan-thanh", width=22, longest=63,
        notes={
            "vi": "Mã trong hệ thống giám sát, không đổi. Xã mới: để trống, hệ thống đặt theo tên.",
            "en": "What the monitor calls it; keep it. New site: leave it empty, it is made from the name.",
        },
    ),
    Column(
        key="name", headers={"vi": "Tên xã, phường", "en": "Name"}, example="Xã Tân Thanh", width=26, longest=120, required=True,
        notes={"vi": "Tên đầy đủ, có dấu.", "en": "What people call it."},
    ),
    Column(
        key="code", form="code", headers={"vi": "Mã hành chính", "en": "Code"}, example="13444", width=14, longest=16,
        notes={"vi": "Mã đơn vị hành chính, dạng văn bản, giữ số 0 ở đầu.", "en": "Official code, as text with its leading zeros."},
    ),
    Column(
        key="area", headers={"vi": "Khu vực", "en": "Area"}, example="Huyện Thanh Liêm", width=22, longest=120,
        notes={"vi": "Huyện, thị xã, thành phố trước đây.", "en": "Former district."},
    ),
    Column(
        key="contact", headers={"vi": "Người liên hệ", "en": "Contact"}, example="Nguyễn Văn An, Văn phòng UBND", width=34, longest=160,
        notes={"vi": "Họ tên, chức vụ của người cần gọi khi có sự cố.", "en": "Whom to call there: name and office."},
    ),
    Column(
        key="phone", form="phone", headers={"vi": "Điện thoại", "en": "Telephone"}, example="0229 000 017", width=16, longest=30,
        notes={"vi": "Số điện thoại của người liên hệ, dạng văn bản.", "en": "Number of the contact, as text."},
    ),
    Column(
        key="latitude", form="latitude", headers={"vi": "Vĩ độ", "en": "Latitude"}, example="20.4512", width=11,
        notes={"vi": "Độ thập phân, Việt Nam từ 8 đến 24. Điền cả vĩ độ và kinh độ, hoặc để trống cả hai.",
               "en": "Decimal degrees, for the map. Both, or neither."},
    ),
    Column(
        key="longitude", form="longitude", headers={"vi": "Kinh độ", "en": "Longitude"}, example="105.9233", width=11,
        notes={"vi": "Độ thập phân, Việt Nam từ 102 đến 118.", "en": "Decimal degrees, for the map."},
    ),
    Column(
        key="like", form="id", headers={"vi": "Mẫu", "en": "Template"}, example="commune", width=14, choices="templates",
        notes={"vi": "Mẫu cấu hình, chọn trong danh sách. Để trống ở dòng mới: dùng mẫu phổ biến nhất.",
               "en": "What it has everything from that is not written itself. Empty in a new row: the most usual one."},
    ),
]  # fmt: skip


def _labels(written: Written) -> dict[str, Mapping[Language, str]]:
    """What people call each line: by its profile, and by its name too where several have that."""
    found: dict[str, Mapping[Language, str]] = {}
    for name in written.names("links"):
        label = written.profile(written.usual_profile("links", name)).get("label") or {}
        found[name] = {"vi": label.get("vi", name), "en": label.get("en", name)}
    times = Counter(each["vi"] for each in found.values())
    return {
        name: each if times[each["vi"]] == 1 else {"vi": f"{each['vi']} ({name})", "en": f"{each['en']} ({name})"}
        for name, each in found.items()
    }


def _line(name: str, label: Mapping[Language, str]) -> list[Column]:
    """The columns of a line."""

    def column(key: str, vi: str, en: str, note_vi: str, note_en: str, **more: Any) -> Column:
        return Column(
            key=f"{name}:{key}",
            headers={"vi": f"{label['vi']} – {vi}", "en": f"{label['en']} – {en}"},
            formerly=(f"{name}: {vi}", f"{name}: {en}"),
            notes={"vi": note_vi, "en": note_en},
            **more,
        )

    return [
        column("provider", "Nhà cung cấp", "Provider", "Chọn trong danh sách.", "Who delivers it, from the list.",
               form="id", example="vnpt", width=16, choices="providers"),
        column("circuit", "Mã kênh", "Circuit", "Mã kênh của nhà cung cấp, cần khi gọi báo hỏng.", "The provider's id of the line.",
               form="code", example="NB-TSL-13444", width=18, longest=64),
        column("address", "Địa chỉ IP", "Address", "Địa chỉ IP của đầu kênh tại xã.", "IP address of its end at the site.",
               form="address", example="10.65.17.2", width=15),
        column("bandwidth", "Băng thông (Mbps)", "Bandwidth (Mbps)", "Số Mbps; hoặc ghi kèm đơn vị: 512 kbps, 1 Gbps.", "Mbit/s; or with its unit: 512 kbps, 1 Gbps.",
               form="bandwidth", example="20", width=12),
        column("behind", "Nối qua", "Behind", "Thiết bị đứng trước, dạng địa-điểm/thiết-bị, cách nhau bằng dấu phẩy.", "What is in front of it: site/target, with commas between.",
               form="names", example="pop-phu-ly/router", width=24),
    ]  # fmt: skip


def word_column(name: str) -> Column:
    """The column of a word of the templates."""
    return Column(
        key=f"vars:{name}", headers={"vi": f"Tham số {name}", "en": f"Word {name}"}, width=14, for_admins=True,
        notes={"vi": f"Điền vào {{{name}}} của mẫu. Người quản trị dùng; dòng mới có thể để trống nếu đã ghi địa chỉ.",
               "en": f"Fills {{{name}}} of the template. For admins; a new row may leave it empty where its addresses tell it."},
    )  # fmt: skip


_DEVICE = [
    Column(
        key="site", headers={"vi": "Xã, phường (mã định danh)", "en": "Site"}, example="xa-tan-thanh", width=24, required=True, choices="sites",
        notes={"vi": "Mã định danh, mã hành chính hoặc tên của xã, phường.", "en": "Id, code or name of the site."},
    ),
    Column(
        key="device", form="id", headers={"vi": "Mã thiết bị", "en": "Device"}, example="switch-2", width=20, longest=63, required=True,
        notes={"vi": "Tên ngắn trong hệ thống giám sát: chữ thường không dấu, số, gạch ngang. Không đổi.",
               "en": "What the monitor calls it at its site: small letters, digits, hyphens; keep it."},
    ),
    Column(
        key="profile", form="id", headers={"vi": "Loại thiết bị", "en": "Profile"}, example="switch", width=22, required=True, choices="profiles",
        notes={"vi": "Chọn trong danh sách.", "en": "Which checks it gets, from the list."},
    ),
    Column(
        key="address", form="address", headers={"vi": "Địa chỉ IP", "en": "Address"}, example="10.64.17.4", width=16,
        notes={"vi": "Địa chỉ IP của thiết bị.", "en": "IP address."},
    ),
    Column(
        key="behind", form="names", headers={"vi": "Nối qua", "en": "Behind"}, example="switch", width=26,
        notes={"vi": "Thiết bị hoặc đường truyền đứng trước, cách nhau bằng dấu phẩy. Để trống: bộ định tuyến của xã.",
               "en": "What is in front of it, with commas between. Empty: the router of the site."},
    ),
]  # fmt: skip


# -- what stands there now ---------------------------------------------------------------------------------------------


def site_values(site: WrittenSite, columns: Sequence[Column]) -> dict[str, Value]:
    """The row of a site."""
    contact, phone = parted(str(site.own.get("contact") or ""))
    latitude, longitude = site.own.get("location") or ("", "")
    known: dict[str, Value] = {"contact": contact, "phone": phone, "latitude": latitude, "longitude": longitude}
    known |= {key: str(site.own.get(key) or "") for key in ("id", "name", "code", "area", "like")}
    known |= {f"vars:{name}": str(value) for name, value in site.vars().items()}
    for name in site.names("links"):
        known |= {f"{name}:{key}": value for key, value in target_values(site.target("links", name)).items()}
    return {each.key: known.get(each.key, "") for each in columns}


def device_values(site: WrittenSite, name: str, columns: Sequence[Column]) -> dict[str, Value]:
    """The row of a device."""
    known: dict[str, Value] = {"site": site.id, "device": name, **target_values(site.target("devices", name))}
    return {each.key: known.get(each.key, "") for each in columns}


def target_values(target: Mapping[str, Any]) -> dict[str, Value]:
    """Of a line or device, by key as the YAML has it."""
    found: dict[str, Value] = {
        key: str(target[key]) for key in ("profile", "provider", "circuit", "address") if target.get(key) is not None
    }
    if target.get("behind") is not None:
        found["behind"] = tuple(map(str, target["behind"]))
    if target.get("bandwidth"):
        found["bandwidth"] = bits(target["bandwidth"])
    return found


def rows(written: Written, table: Table) -> Iterator[dict[str, Value]]:
    """All rows of a table, the communes first."""
    for site in sorted(written.sites.values(), key=lambda each: written.kind(each) != "commune"):
        if table.name == "sites":
            yield site_values(site, table.columns)
        else:
            yield from (device_values(site, name, table.columns) for name in site.names("devices"))


def bits(value: object) -> float:
    """A bandwidth as it is written in the YAML; 0 when it is none."""
    try:
        return _BITS.validate_python(value)
    except ValidationError:
        return 0.0


def parted(contact: str) -> tuple[str, str]:
    """Name and number: `Trần An, ĐT 0229 000 017` are two; what has another form is all name."""
    found = _PHONE.fullmatch(contact)
    return (
        (found["contact"], found["phone"])
        if found and joined(found["contact"], found["phone"]) == contact
        else (contact, "")
    )


def joined(contact: str, phone: str) -> str:
    """The other way round."""
    return f"{contact}{', ' if contact else ''}ĐT {phone}" if phone else contact


def shown(column: Column, value: Value) -> str | float:
    """As a cell has it."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if column.form == "bandwidth" and value:
        return float(value) / 1e6
    return value


def told(column: Column, value: Value) -> str:
    """For a message, as the cell has it."""
    cell = shown(column, value)
    return cut(cell if isinstance(cell, str) else repr(cell).removesuffix(".0"))
