"""A small inventory with a template, comments and odd quotes, for spreadsheets to come out of and go back into."""

from __future__ import annotations

TEMPLATES = """\
templates:
  commune:
    kind: commune
    networks: ['10.64.{n}.0/24']
    links:
      tslcd: {profile: tslcd-line, address: '10.65.{n}.2', provider: '{tslcd}', circuit: 'T-{code}', bandwidth: 20M, behind: [center/core]}
    devices:
      router: {profile: router, address: '10.64.{n}.1'}
      switch: {profile: switch, address: '10.64.{n}.2'}
providers:
  vnpt: {name: VNPT, hotline: '1'}
  viettel: {name: Viettel, hotline: '2'}
"""
SITES = """\
# yaml-language-server: $schema=../schema/inventory.json
# the province
sites:
  - id: center
    name: 'Trung tâm'   # of us
    kind: data-center
    devices:
      gateway: {profile: gateway, address: 10.69.0.1, vantage: true}
      core: {profile: backbone-router, address: 10.68.0.1, behind: [gateway]}

  - id: xa-a
    like: commune
    name: "Xã Á"
    code: '00123'
    area: Huyện Bình Lục
    location: [20.50, 105.9]
    contact: Trần An, ĐT 0229 000 001
    vars: {n: 1, tslcd: vnpt}  # its words
    devices:
      ups: {profile: ups, address: 10.64.1.3}
  # the next one
  - {id: xa-b, like: commune, name: Xã Bé, code: '00456', vars: {n: 2, tslcd: viettel}, links: {tslcd: {circuit: '0099'}}}
"""
