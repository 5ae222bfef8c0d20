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

  // What a node is known by among its siblings; a space, by what it stands before.
  const key = node => node.nodeType === 1 && (node.id || node.getAttribute("href"));
  const name = node => key(node)
    || (node.nodeType === 1 ? node.nodeName + "/" + (node.firstElementChild?.nodeName ?? "")
      : node.data.trim() ? "text" : " " + (node.nextSibling ? name(node.nextSibling) : ""));
  function morph(old, wanted) { // what stays the same thing stays the same element, and so keeps focus, place and fold
    if (old.nodeType !== 1) {
      if (old.data !== wanted.data) old.data = wanted.data;
      return;
    }
    for (const each of [...old.attributes]) if (!wanted.hasAttribute(each.name) && each.name !== "open") old.removeAttribute(each.name);
    for (const each of wanted.attributes) if (old.getAttribute(each.name) !== each.value) old.setAttribute(each.name, each.value);
    const children = [...wanted.childNodes], names = children.map(name), left = new Map(), known = new Map();
    for (const each of names) left.set(each, (left.get(each) ?? 0) + 1);
    for (const each of old.children) if (key(each)) known.set(key(each), each);
    let place = old.firstChild;
    const pass = () => {
      const passed = place;
      place = place.nextSibling;
      return passed;
    };
    children.forEach((child, index) => {
      while (place && !left.get(name(place))) pass().remove();
      const same = place && name(place) === names[index] ? pass() : known.get(names[index]);
      left.set(names[index], left.get(names[index]) - 1);
      known.delete(names[index]);
      if (!same) return old.insertBefore(child, place);
      if (same.nextSibling !== place) old.insertBefore(same, place);
      morph(same, child);
    });
    while (place) pass().remove();
  }

  function show(html) {
    const page = new DOMParser().parseFromString(html, "text/html"), focused = document.activeElement;
    morph(live, page.getElementById("live"));
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    return page;
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
      document.title = title;
      show(html);
      tick();
    });
    source.addEventListener("news", event => { said.textContent = JSON.parse(event.data); });
    source.addEventListener("beat", () => sign());
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) poll(); else lose(); };
  }
  async function poll() { // there is no stream: no room, or something between us that keeps it back
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(AGAIN) }), page = show(await answer.text());
      document.title = page.title;
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
