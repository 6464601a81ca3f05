// The page is whole without this. With it, times count down, and what changes is seen at once.
"use strict";
(() => {
  const root = document.documentElement;
  // Times are counted by the program's clock: the reader's may be wrong.
  let ahead = Date.parse(root.dataset.now) - Date.now();

  const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
  const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  const coarse = (seconds) => {
    let first = units.findIndex(([, size]) => seconds >= size);
    if (first < 0) first = 3;
    return units.slice(first, first + 2)
      .map(([unit, size], i) => [Math.floor(i ? (seconds % units[first][1]) / size : seconds / size), unit])
      .filter(([count]) => count > 0).map(([count, unit]) => count + unit).join(" ");
  };
  const relative = (at, now) => {
    const away = Math.trunc((at - now) / 1000);
    if (away === 0) return "now";
    return away > 0 ? `in ${coarse(away)}` : `${coarse(-away)} ago`;
  };
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const tick = (page = document) => {
    const now = Date.now() + ahead;
    for (const time of page.querySelectorAll("time.rel")) {
      const text = relative(Date.parse(time.dateTime), now);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  // What only the reader's machine knows: the time by the clock of its own zone.
  const day = new Intl.DateTimeFormat("en-GB", { weekday: "short" });
  // Sweden writes it as the program does.
  const own = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const zone = own.resolvedOptions().timeZone;
  const dress = (page) => {
    for (const time of page.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      time.title = `${time.dateTime.replace("T", " ").slice(0, 19)} UTC\n${local.format(at)}`;
      if (time.className === "own") time.textContent = `${day.format(at)} ${own.format(at)}`;
    }
    for (const name of page.querySelectorAll(".own-zone")) name.textContent = zone;
    for (const part of page.querySelectorAll("[data-script]")) part.hidden = false;
    for (const part of page.querySelectorAll("[data-plain]")) part.hidden = true;
    for (const key of page.querySelectorAll("kbd.find")) key.textContent = isApple ? "⌘ K" : "Ctrl K";
    tick(page);
  };

  // Replaces what has changed inside of every part that is marked as live, row by row, and leaves alone what the
  // reader is about to use.
  const inUse = (node) => node.contains(document.activeElement) && node.matches("tr,form,details") || node.querySelector("details[open], :checked");
  const named = (node) => node.tagName + (node.getAttribute("href") ?? node.getAttribute("aria-label") ?? node.textContent);
  const source = new WeakMap();
  const morph = (old, fresh) => {
    const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    if ([...fresh.children].every((child) => child.id)) {
      const kept = [...fresh.children].map((child) => {
        const before = byId.get(child.id);
        if (!before) return child;
        if (source.get(before) === child.outerHTML || inUse(before)) return before;
        source.set(child, child.outerHTML);
        return child;
      });
      // What stays is not moved for what comes: it would lose the focus.
      for (const child of [...old.children]) if (!kept.includes(child)) child.remove();
      kept.forEach((child, i) => { if (old.children[i] !== child) old.insertBefore(child, old.children[i] ?? null); });
    } else if (old.innerHTML !== fresh.innerHTML && !inUse(old)) {
      const held = old.contains(document.activeElement) && named(document.activeElement);
      old.innerHTML = fresh.innerHTML;
      if (held) [...old.querySelectorAll("a,button,summary,pre")].find((one) => named(one) === held)?.focus({ preventScroll: true });
    }
  };
  let loading = false, again = false;
  const refresh = async () => {
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { "x-jobs-live": "1" }, cache: "no-store" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        ahead = Date.parse(fresh.documentElement.dataset.now) - Date.now();
        // Both alike, so that what has not changed is left alone.
        dress(fresh);
        tick();
        for (const part of document.querySelectorAll("[data-live]")) {
          const next = fresh.getElementById(part.id);
          if (next) morph(part, next);
        }
      }
    } catch { /* The events tell when the program is back. */ }
    setTimeout(() => { loading = false; if (again) { again = false; refresh(); } }, 900);
  };

  const live = document.getElementById("live");
  let events, retry;
  const listen = () => {
    if (events || document.hidden || !window.EventSource) return;
    events = new EventSource(root.dataset.events);
    events.onopen = () => { live.hidden = false; live.className = "live"; live.querySelector(".word").textContent = "Live"; };
    // The first comes at once, for what has changed since the page was made.
    events.onmessage = refresh;
    events.onerror = () => {
      live.className = "live off";
      live.hidden = false;
      live.querySelector(".word").textContent = "Reconnecting";
      // Refused, and not only gone: the browser does not ask again by itself.
      if (events?.readyState === EventSource.CLOSED) { events = undefined; refresh(); clearTimeout(retry); retry = setTimeout(listen, 10000); }
    };
  };
  // A page that nobody sees asks for nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { events?.close(); events = undefined; } else listen();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const open of document.querySelectorAll("details.confirm[open]")) {
      if (open.contains(document.activeElement)) open.querySelector("summary").focus();
      open.open = false;
    }
    // With a key beside it: a letter alone is what those say who speak to their machine.
    if (event.key.toLowerCase() !== "k" || !(isApple ? event.metaKey : event.ctrlKey) || event.altKey || event.shiftKey) return;
    const field = document.querySelector("[data-find]");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of document.querySelectorAll(`input[name="${event.target.dataset.all}"]`)) box.checked = event.target.checked;
    }
  });

  dress(document);
  setInterval(() => tick(), 1000);
  listen();
})();
