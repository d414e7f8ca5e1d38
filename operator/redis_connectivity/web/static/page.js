// The page of the operator: draws what /api/events sends. Everything from the cluster is put in as text, never as markup.
"use strict";

const WORDS = {
  ok: ["✓", "works"], broken: ["✗", "broken"], working: ["…", "being repaired"],
  waiting: ["·", "waiting"], unknown: ["?", "not known"], idle: ["–", "not looked after"],
};
const ORDER = ["broken", "working", "unknown", "waiting", "ok", "idle"];
const paths = new Map();
const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "polyline", "line", "title"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const clock = (rfc3339) => (rfc3339 ? new Date(rfc3339).toLocaleString() : "");

function lasted(began, ended) {
  const seconds = Math.round((new Date(ended) - new Date(began)) / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function mark(state) {
  const [sign, word] = WORDS[state];
  return element("span", { class: "mark" }, element("span", { "aria-hidden": "true" }, `${sign} `), word);
}

function hop(one) {
  const item = element("li", { class: one.state, title: one.text }, element("span", { class: "name" }, one.name));
  item.append(element("span", { class: "subject" }, one.subject || "\u00a0"), mark(one.state));
  if (one.state !== "ok") item.append(element("span", { class: "sr" }, `: ${one.reason}. ${one.text}`));
  return item;
}

function cause(path) {
  if (path.state === "ok" && path.reason !== "ConfiguredNotProven") return [];
  const found = path.diagnosis;
  const box = element("div", { class: "cause" });
  box.append(element("strong", {}, found ? found.code : path.reason), ` ${found ? found.summary : path.message}`);
  for (const evidence of (found && found.evidence) || []) box.append(element("div", {}, evidence));
  if (found && found.remedy) box.append(element("div", { class: "remedy" }, found.remedy));
  return [box];
}

function sparkline(samples) {
  const good = samples.filter(([, ms]) => ms !== null);
  if (samples.length < 2) return null;
  const most = Math.max(1, ...good.map(([, ms]) => ms));
  const x = (index) => (index * 240) / (samples.length - 1);
  const picture = element("svg", { class: "spark", viewBox: "0 0 240 32", preserveAspectRatio: "none", role: "img" });
  const failed = samples.length - good.length;
  picture.append(element("title", {}, `Last ${samples.length} probes: ${failed} failed, slowest ${most.toFixed(1)} ms`));
  let run = [];
  const flush = () => {
    if (run.length === 1) run.push(run[0]); // a line of no length with round ends is a dot
    if (run.length) picture.append(element("polyline", { points: run.join(" ") }));
    run = [];
  };
  samples.forEach(([, ms], index) => {
    if (ms === null) {
      flush();
      picture.append(element("line", { x1: x(index), x2: x(index), y1: 2, y2: 30 }));
    } else {
      run.push(`${x(index).toFixed(1)},${(30 - (ms / most) * 26).toFixed(1)}`);
    }
  });
  flush();
  return picture;
}

function latency(path) {
  const last = path.samples.length ? path.samples[path.samples.length - 1] : null;
  const box = element("div", { class: "latency" });
  const picture = sparkline(path.samples);
  if (picture) box.append(picture);
  const known = last ? last[1] : path.latency_milliseconds;
  if (last && last[1] === null) box.append("last probe failed");
  else if (known !== null && known !== undefined) box.append(`PING ${known} ms`);
  return box.childNodes.length ? [box] : [];
}

function figures(path) {
  const rows = path.windows.filter((one) => one.probes).map((one) => {
    const known = ["p50Milliseconds", "p95Milliseconds", "p99Milliseconds"].map((name) => (one[name] === undefined ? "–" : `${one[name]} ms`));
    return [one.name, `${one.probes}`, one.successRate === undefined ? "–" : `${(one.successRate * 100).toFixed(1)} %`, ...known];
  });
  return ["Success and latency", ["Last", "Probes", "Answered", "p50", "p95", "p99"], rows];
}

function circuit(path) {
  if (!path.circuit || path.circuit.state === "Closed") return [];
  const since = path.circuit.since ? ` since ${clock(path.circuit.since)}` : "";
  return [element("div", { class: "circuit" }, `Circuit ${path.circuit.state}${since}: nothing answers, so it is asked more rarely.`)];
}

function table(title, heads, rows, open) {
  if (!rows.length) return [];
  const made = element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((one) => element("th", { scope: "col" }, one)))));
  made.append(element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))));
  const details = element("details", open ? { open: "" } : {}, element("summary", {}, `${title} (${rows.length})`), made);
  details.dataset.title = title;
  return [details];
}

function article(path, opened) {
  const word = path.state === "ok" && path.reason === "ConfiguredNotProven" ? "not proven" : WORDS[path.state][1];
  const made = element("article", { class: path.state, id: `path-${path.key}`, "aria-label": `${path.key}: ${word}` });
  const title = element("header", {}, element("h2", {}, path.key));
  title.append(element("span", { class: "where" }, `${path.environment} · ${path.project} · ${path.region}`));
  const since = path.since ? ` since ${clock(path.since)}` : "";
  title.append(element("span", { class: `state ${path.state}` }, `${word}${since}`));
  made.append(title, element("ol", { class: "hops" }, ...path.hops.map(hop)), ...cause(path), ...circuit(path), ...latency(path));
  made.append(...table(...figures(path), opened.has("Success and latency")));
  made.append(...table("Changed by others", ["What", "Field", "Before", "After", "Seen", "Repaired"], path.drift.map((one) => [
    `${one.kind} ${one.name}`, one.field, one.before, one.after, clock(one.seen), one.repaired ? clock(one.repaired) : "not yet",
  ]), opened.has("Changed by others")));
  made.append(...table("Outages", ["Began", "Ended", "Lasted", "Cause", "Ended by"], path.outages.map((one) => [
    clock(one.began), one.ended ? clock(one.ended) : "still", one.ended ? lasted(one.began, one.ended) : "", `${one.code}: ${one.cause}`, one.ended ? one.repairedBy || "" : "",
  ]), opened.has("Outages")));
  return made;
}

function wanted(path) {
  if (byId("trouble").checked && path.state === "ok") return false;
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [path.key, path.environment, path.project, path.region, path.reason, path.message].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function draw(path) {
  const old = byId(`path-${path.key}`);
  if (!wanted(path)) {
    if (old) old.remove();
    return;
  }
  const opened = new Set(old ? [...old.querySelectorAll("details[open]")].map((one) => one.dataset.title) : []);
  const made = article(path, opened);
  if (old) old.replaceWith(made);
  else {
    const next = [...byId("paths").children].find((one) => one.id > made.id);
    byId("paths").insertBefore(made, next || null);
  }
}

function tally() {
  const counts = {};
  for (const path of paths.values()) counts[path.state] = (counts[path.state] || 0) + 1;
  const parts = ORDER.filter((state) => counts[state]).map((state) => `${counts[state]} ${WORDS[state][1]}`);
  const text = paths.size ? `${paths.size} path${paths.size > 1 ? "s" : ""}: ${parts.join(", ")}` : "No paths";
  if (byId("summary").textContent !== text) byId("summary").textContent = text;
  document.title = counts.broken ? `✗ ${counts.broken} broken · redis-connectivity` : "redis-connectivity";
  const shown = byId("paths").children.length;
  byId("empty").hidden = shown > 0;
  byId("empty").textContent = paths.size
    ? "Nothing of what there is fits."
    : "There is no RedisConnectivity resource yet: kubectl apply -f redisconnectivity.yaml";
}

function everything() {
  byId("paths").replaceChildren();
  for (const path of paths.values()) draw(path);
  tally();
}

function listen() {
  const source = new EventSource("api/events");
  const take = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  take("all", (all) => {
    byId("connection").hidden = true;
    paths.clear();
    for (const path of all.paths) paths.set(path.key, path);
    byId("replica").textContent = all.leader ? "" : "This replica does not lead: latencies and figures are kept by the one that does.";
    everything();
  });
  take("path", (path) => { paths.set(path.key, path); draw(path); tally(); });
  take("gone", ({ key }) => {
    paths.delete(key);
    const old = byId(`path-${key}`);
    if (old) old.remove();
    tally();
  });
  source.onerror = () => {
    byId("connection").hidden = false;
    byId("connection").textContent = "The operator cannot be reached; what is shown is old. Trying again…";
    // A refusal ends an EventSource for good; a lost connection it mends by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

byId("find").addEventListener("input", everything);
byId("trouble").addEventListener("change", everything);
listen();
