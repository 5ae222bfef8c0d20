// Keeps a page of the board as it is now: what /events sends is put into it, without taking focus, place or folds from the reader.
"use strict";
(() => {
  const HOUR = 3600e3, ZONE = 7 * HOUR, SILENT = 25e3, AGAIN = 10e3;
  const $ = id => document.getElementById(id);
  const live = $("live"), lost = $("lost"), said = $("said"), at = $("at"), clock = $("clock");
  const root = document.documentElement, units = root.dataset.units.split("|");
  const address = "/events?" + new URLSearchParams({ page: location.pathname, lang: root.lang });
  let ahead = 0; // of our clock, the monitor's
  let heard = Date.now(), source;

  const now = () => Date.now() + ahead;
  const moment = ms => {
    const [day, time] = new Date(ms + ZONE).toISOString().split("T");
    return time.slice(0, 8) + " " + day.split("-").reverse().join("/");
  };
  const lasted = ms => { // as Words.span does
    const s = Math.floor(ms / 1000), parts = [s / 86400, s / 3600 % 24, s / 60 % 60, s % 60].map(Math.floor);
    const first = parts[0] ? 0 : parts[1] ? 1 : parts[2] ? 2 : 3;
    const shown = parts[first + 1] ? [first, first + 1] : [first];
    return shown.map(i => parts[i] + units[i]).join(" ");
  };

  const key = node => node.nodeType === 1 ? node.id || node.getAttribute("href") : null;
  function morph(old, wanted) { // what stays the same thing stays the same element, and so keeps focus
    if (old.nodeType !== 1) {
      if (old.data !== wanted.data) old.data = wanted.data;
      return;
    }
    for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of wanted.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const keys = new Set([...wanted.childNodes].map(key)), known = new Map();
    for (const child of [...old.childNodes]) {
      const name = key(child);
      if (name && !keys.has(name)) child.remove();
      else if (name) known.set(name, child);
    }
    let place = old.firstChild;
    for (const child of [...wanted.childNodes]) {
      const name = key(child);
      const same = name ? known.get(name) : place && !key(place) && place.nodeName === child.nodeName ? place : null;
      known.delete(name);
      if (!same) old.insertBefore(child, place);
      else {
        if (same === place) place = place.nextSibling;
        else old.insertBefore(same, place);
        morph(same, child);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function show(html, title) {
    const focused = document.activeElement, wanted = live.cloneNode(false);
    wanted.append(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
    morph(live, wanted);
    document.title = title;
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }
  function sign(time) {
    if (time) ahead = Date.parse(time) - Date.now();
    heard = Date.now();
    lost.hidden = true;
    at.textContent = moment(now());
  }
  function lose() {
    if (!lost.hidden) return;
    lost.lastElementChild.textContent = moment(heard + ahead);
    lost.hidden = false;
  }
  function listen() {
    source = new EventSource(address);
    source.addEventListener("page", event => {
      const { at, title, html } = JSON.parse(event.data);
      sign(at);
      show(html, title);
      tick();
    });
    source.addEventListener("news", event => { said.textContent = JSON.parse(event.data); });
    source.addEventListener("beat", () => sign());
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) poll(); else lose(); };
  }
  async function poll() { // there is no stream: no room, or something between us that keeps it back
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      show(page.getElementById("live").innerHTML, page.title);
      sign(page.getElementById("at").dateTime);
    } catch { lose(); } // no answer, or not one of ours
  }
  function tick() {
    for (const each of document.querySelectorAll("time.age")) {
      const text = lasted(Math.abs(now() - Date.parse(each.dateTime)));
      if (each.textContent !== text) each.textContent = text;
    }
    if (clock) clock.textContent = moment(now());
    if (Date.now() - heard > SILENT) lose();
  }

  ahead = Date.parse(at.dateTime) - Date.now();
  lost.classList.remove("stale");
  lost.hidden = true;
  listen();
  setInterval(tick, 1000);
  setInterval(() => {
    if (document.hidden) return;
    if (source.readyState === EventSource.CLOSED) listen();
    else if (Date.now() - heard > AGAIN * 1.2) poll();
  }, AGAIN);
})();
