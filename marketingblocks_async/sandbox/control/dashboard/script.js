// Asks the sandbox once a second and shows the answer. Everything is written as text, never as HTML.
const EVERY = 1000;
const CHARTS = 4;
const byId = (id) => document.getElementById(id);
const body = (id) => byId(id).tBodies[0];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(cells, head = true) {
  const made = element("tr");
  cells.forEach((cell, index) => {
    const isHead = head && index === 0;
    const node = element(isHead ? "th" : "td");
    if (isHead) node.scope = "row";
    if (cell instanceof Node) node.append(cell);
    else node.textContent = cell;
    if (typeof cell === "number") node.className = "number";
    made.append(node);
  });
  return made;
}

// Changes an element only if its text changes, so that screen readers and selections are left alone.
function say(id, text) {
  const node = byId(id);
  if (node.textContent !== String(text)) node.textContent = text;
}

function refill(table, rows) {
  body(table).replaceChildren(...rows);
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function chart(token, state) {
  const width = 600, height = 120;
  const top = Math.max(state.limit * 1.15, ...token.history, 1);
  const x = (index) => (index / (token.history.length - 1)) * width;
  const y = (value) => height - (value / top) * height;
  const points = token.history.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  picture.setAttribute("aria-label",
    `Token ${token.name}: ${token.now} requests in the last ${seconds(state.per)}, at most ${token.worst}, of ${state.limit} allowed`);
  picture.append(
    svg("polygon", { class: "area", points: `0,${height} ${points} ${width},${height}` }),
    svg("polyline", { class: "line", points }),
    svg("line", { class: "limit", x1: 0, x2: width, y1: y(state.limit), y2: y(state.limit) }),
  );
  const figure = element("figure");
  const axis = element("div", undefined, "axis");
  axis.setAttribute("aria-hidden", "true");
  axis.append(element("span", `${state.history_seconds} s ago`), element("span", `– – limit of ${state.limit}`, "limit"),
    element("span", "now"));
  figure.append(element("figcaption", `Token ${token.name}`), picture, axis);
  return figure;
}

const seconds = (per) => (per === 1 ? "second" : `${per} seconds`);

// Who went over the limit, when, by how much, and the next thing to look at.
function explanation(token, state) {
  const item = element("li");
  const time = new Date(Date.now() - token.worst_ago * 1000).toLocaleTimeString();
  item.append(element("b", `Token ${token.name}: ${token.worst} requests within one ${seconds(state.per)}`, "over"),
    `, ${token.worst - state.limit} more than allowed, at ${time} (${age(token.worst_ago)} ago). `);
  item.append(token.over_limit
    ? `The sandbox refused ${token.over_limit} requests of this token with 429. `
    : `The policy ${state.policy} let them pass; a stricter one would have refused some. `);
  item.append("Check whether several programs use this token without a shared limit, or a client without a limit. ");
  const link = element("a", "Times of all its requests");
  link.href = `/_sandbox/arrivals?token=${encodeURIComponent(token.name)}`;
  item.append(link);
  return item;
}

const age = (ago) => (ago < 90 ? `${Math.round(ago)} s` : `${Math.round(ago / 60)} min`);

function showTokens(state) {
  say("no-tokens", "No request has arrived yet. Send one to the API root above.");
  byId("no-tokens").hidden = state.tokens.length > 0;
  byId("over").replaceChildren(
    ...state.tokens.filter((token) => token.worst > state.limit).map((token) => explanation(token, state)));
  byId("tokens").hidden = state.tokens.length === 0;
  byId("charts").replaceChildren(...state.tokens.slice(0, CHARTS).map((token) => chart(token, state)));
  const charted = state.tokens.length + state.more_tokens <= CHARTS;
  byId("not-charted").hidden = charted;
  if (!charted) say("not-charted", `The charts show the ${CHARTS} tokens with the most requests; the table has more.`);
  refill("tokens", state.tokens.map((token) => {
    const kept = token.worst <= state.limit;
    return row([token.name, token.now, token.worst, token.arrivals, token.too_many_requests, token.commits,
      element("span", kept ? "kept" : `exceeded by ${token.worst - state.limit}`, kept ? "" : "over")]);
  }));
  if (state.more_tokens) body("tokens").append(row([`and ${state.more_tokens} more tokens`]));
}

function showPosts(state) {
  const all = Object.values(state.posts).reduce((sum, count) => sum + count, 0);
  refill("posts", Object.entries(state.posts).map(([status, count]) => {
    const meter = element("meter");
    Object.assign(meter, { min: 0, max: Math.max(all, 1), value: count });
    meter.setAttribute("aria-label", `${status}: ${count} of ${all}`);
    return row([status, count, meter]);
  }));
}

function showLedger(state) {
  say("duplicates", state.duplicates);
  byId("endpoints").hidden = state.endpoints.length === 0;
  byId("duplicates-note").hidden = !state.duplicates;
  say("firings", state.fault_firings);
  refill("endpoints", state.endpoints.map((endpoint) => {
    const answers = Object.entries(endpoint.statuses)
      .map(([status, count]) => `${status === "0" ? "none" : status}: ${count}`).join(", ");
    return row([endpoint.name, endpoint.attempts, endpoint.commits, answers]);
  }));
}

function showFaults(faults) {
  byId("armed").hidden = byId("clear").hidden = faults.length === 0;
  byId("no-faults").hidden = faults.length > 0;
  refill("armed", faults.map(({ fault, fired }) => {
    const after = fault.after ? `, after ${fault.after}` : "";
    const params = Object.entries(fault.params).map(([name, value]) => `${name}=${value ?? "none"}`).join(", ");
    return row([fault.kind, fault.endpoint ?? "all", (fault.times ?? "always") + after, params || "none", fired]);
  }));
}

async function ask(method, path, value) {
  const answer = await fetch(`/_sandbox/${path}`, { method, body: value === undefined ? undefined : JSON.stringify(value) });
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.message);
  return result;
}

let lost = false;

async function refresh() {
  try {
    const state = await ask("GET", "dashboard");
    say("policy", state.policy);
    say("limit", `${state.limit} requests per ${seconds(state.per)}`);
    say("window", seconds(state.per));
    showTokens(state);
    showPosts(state);
    showLedger(state);
    showFaults(state.faults);
    if (lost) say("news", "The sandbox is back.");
    lost = false;
  } catch (error) {
    if (!lost) say("news", `The sandbox does not answer: ${error.message}`);
    lost = true;
  }
}

// "delay=2, retry_after=none" to an object; values go as text, which the sandbox converts. A comma that is not followed
// by "name=" belongs to the value.
function parameters(text) {
  const pairs = text.split(/,(?=\s*\w+=)/).filter((part) => part.trim()).map((part) => part.split("="));
  return Object.fromEntries(pairs.map(([name, ...value]) => [name.trim(), value.join("=").trim()]));
}

async function start() {
  say("root", `${location.origin}/api/v1`);
  const form = byId("add");
  const { kinds, endpoints } = await ask("GET", "dashboard/choices");
  form.kind.append(...kinds.map(({ name }) => new Option(name)));
  form.endpoint.append(...endpoints.map((name) => new Option(name)));
  const explain = () => {
    const kind = kinds.find(({ name }) => name === form.kind.value);
    const params = Object.entries(kind.params).map(([name, value]) => `${name}=${value ?? "none"}`).join(", ");
    say("summary", kind.summary + (params ? ` (${params})` : "") + ".");
    form.params.placeholder = params || "none";
  };
  form.kind.addEventListener("change", explain);
  explain();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = { kind: form.kind.value, after: Number(form.after.value), params: parameters(form.params.value) };
    if (form.endpoint.value) fault.endpoint = form.endpoint.value;
    if (form.times.value) fault.times = Number(form.times.value);
    try {
      showFaults((await ask("POST", "faults", fault)).faults);
      say("news", `The fault ${fault.kind} is on.`);
    } catch (error) {
      say("news", `Not switched on: ${error.message}`);
    }
  });
  byId("clear").addEventListener("click", async () => {
    showFaults((await ask("DELETE", "faults")).faults);
    say("news", "All faults are off.");
    // Its button has gone.
    byId("faults").focus();
  });
  await refresh();
  // A hidden page does not ask.
  setInterval(() => document.hidden || refresh(), EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

start().catch((error) => say("news", `The sandbox does not answer: ${error.message}`));
