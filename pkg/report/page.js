
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main"), dialog = document.getElementById("details");
const now = Date.parse(data.at), day = 24 * 3600 * 1000;
const collator = new Intl.Collator("en", {numeric: true});

// el makes an element. What comes from the data is only ever text.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter(child => child !== undefined && child !== "").flatMap(breakable));
  return node;
}
// An ARN breaks behind a colon or a slash, where a reader expects it.
function breakable(child) {
  return String(child).startsWith("arn:") ? child.split(/(?<=[:/])/).flatMap((part, i) => i ? [el("wbr"), part] : [part]) : [child];
}

const idOf = arn => arn.slice(arn.lastIndexOf("/") + 1);
const counted = (n, what) => n.toLocaleString("en") + " " + what + (n === 1 ? "" : "s");
const when = text => text ? text.replace("T", " ").replace(/:\d\d(\.\d+)?Z$/, "") : "";

// A principal's account, and the rest of its name; an account's root is the account.
const nameOf = new Map(data.names);
const beside = (text, account) => nameOf.has(account) ? text + " " + nameOf.get(account) : text;
const people = data.principals.map(text => {
  const arn = /^arn:[^:]*:(?:iam|sts)::(\d{12}):(.*)$/.exec(text);
  if (!arn) return {text, account: text, rest: ""};
  return {text, account: arn[1], rest: arn[2] === "root" ? "" : arn[2]};
});
const gateways = data.gateways.map((g, index) => ({...g, index, id: idOf(g.arn), account: g.arn.split(":")[4], region: g.arn.split(":")[3]}));
const grantName = i => i < 0 ? "(a grant that is gone)" : data.grants[i].grant + (data.grants[i].gateway === "*" ? " on *" : "");

// ---- sections: one is shown at a time, named by the address's fragment, with its filters.
const sections = {};
function parts() {
  const [name, query] = location.hash.slice(1).split("?");
  return {name: sections[name] ? name : "access", query: new URLSearchParams(query || "")};
}
function remember(name, values) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value) query.set(key, value);
  const text = query.toString();
  history.replaceState(null, "", "#" + name + (text ? "?" + text : ""));
}
function show() {
  const {name, query} = parts();
  for (const link of document.querySelectorAll("nav a"))
    if (link.getAttribute("href") === "#" + name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  main.replaceChildren(el("section", {"aria-label": name}));
  sections[name](main.firstChild, query);
}

// ---- tables: filtered, sorted, and a part at a time.
function table(section, name, query, {title, about, columns, rows, none}) {
  const step = 200;
  let order = query.get("sort") || "", shown = step, found = [];
  const filter = el("input", {type: "search", id: "filter", value: query.get("filter") || "", placeholder: "any text"});
  const count = el("p", {class: "count", role: "status"}), body = el("tbody"), more = el("button", {type: "button", class: "more"});
  const heads = columns.map((column, i) => el("th", {scope: "col"}, el("button", {type: "button", onclick: () => {
    order = order === String(i) ? "-" + i : String(i);
    remember(name, {filter: filter.value, sort: order});
    fill();
  }}, column.name)));
  const texts = rows.map(row => columns.map(column => String(column.text ? column.text(row) : column.sort(row))).join(" ").toLowerCase());
  function fill() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = rows.filter((_, i) => words.every(word => texts[i].includes(word)));
    const by = columns[Math.abs(parseInt(order, 10))], sign = order.startsWith("-") ? -1 : 1;
    if (by) {
      const value = by.sort || by.text;
      found.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if ((x === "") !== (y === "")) return x === "" ? 1 : -1; // what has no value comes last
        return sign * (typeof x === "number" ? x - y : collator.compare(x, y));
      });
    }
    heads.forEach((head, i) => order.replace("-", "") === String(i) ? head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    shown = step;
    draw();
  }
  function draw() {
    body.replaceChildren(...found.slice(0, shown).map(row => el("tr", {}, columns.map(column => el("td", {class: column.class}, column.show ? column.show(row) : String(column.text(row)))))));
    count.textContent = found.length === rows.length ? counted(rows.length, "row") : found.length.toLocaleString("en") + " of " + counted(rows.length, "row");
    more.hidden = found.length <= shown;
    more.textContent = "Show " + Math.min(step, found.length - shown) + " more";
  }
  more.addEventListener("click", () => { shown += step; draw(); });
  filter.addEventListener("input", () => { remember(name, {filter: filter.value, sort: order}); fill(); });
  section.append(el("h2", {}, title));
  if (about) section.append(el("p", {class: "faint"}, about));
  if (rows.length === 0) { section.append(el("p", {class: "none"}, none)); return; }
  section.append(el("div", {class: "tools"}, el("label", {for: "filter"}, "Filter", filter)), count,
    el("div", {class: "frame"}, el("table", {}, el("thead", {}, el("tr", {}, heads)), body)), more);
  fill();
  all = () => { shown = Infinity; draw(); };
}
// all shows every row that was found, for paper.
let all = () => {};
addEventListener("beforeprint", () => all());

// ---- who reaches what
const kinds = {
  "granted": {sign: "●", class: "granted", means: "granted to the account"},
  "part": {sign: "◐", class: "granted", means: "granted to roles or users of it"},
  "to be added": {sign: "+", class: "pending", means: "to be added by the next reconcile"},
  "to be ended": {sign: "−", class: "ended", means: "to be ended by the next reconcile"},
  "foreign": {sign: "F", class: "foreign", means: "let in by a statement of others"},
  "denied": {sign: "×", class: "faint", means: "named by the policy, and denied all the same"},
};
// What a cell shows where there is more than one: what is least expected.
const rank = ["denied", "granted", "part", "to be added", "to be ended", "foreign"];

// reach is, for each row of the matrix, the accesses by gateway. There may be a million.
function reach(byAccount) {
  const rows = new Map(), rowOf = people.map(person => {
    const name = beside(byAccount ? person.account : person.text, person.account);
    let row = rows.get(name);
    if (!row) rows.set(name, row = {name, cells: new Map()});
    return row;
  });
  gateways.forEach((gateway, column) => {
    for (const group of gateway.access) for (const p of group.p) {
      const cells = rowOf[p].cells, cell = cells.get(column);
      if (cell) cell.push(p, group); else cells.set(column, [p, group]);
    }
  });
  return [...rows.values()];
}
// accesses are the pairs of a cell: who, and the group by which.
function* accesses(cell) {
  for (let i = 0; i < cell.length; i += 2) yield [cell[i], cell[i + 1]];
}
function kindOf(cell, byAccount) {
  const found = new Set();
  for (const [p, group] of accesses(cell)) found.add(group.kind === "granted" && byAccount && people[p].rest ? "part" : group.kind);
  if (found.has("granted")) found.delete("part"); // an account that is let in whole is so, whatever its roles are granted
  return rank.findLast(kind => found.has(kind));
}
const reaches = {};
sections.access = (section, query) => {
  const rowFilter = el("input", {type: "search", id: "rows", value: query.get("rows") || "", placeholder: "account, name or AgentRole"});
  const columnFilter = el("input", {type: "search", id: "columns", value: query.get("gateways") || "", placeholder: "name, account or Region"});
  const option = (value, text, chosen) => el("option", {value, selected: chosen === value}, text);
  const by = el("select", {id: "by"}, option("accounts", "accounts", query.get("by")), option("principals", "roles and users, too", query.get("by")));
  const sort = el("select", {id: "sort"}, option("name", "name", query.get("sort")), option("most", "most first", query.get("sort")), option("fewest", "fewest first", query.get("sort")));
  const only = el("select", {id: "only"}, option("", "every access", query.get("only")), ...Object.entries(kinds).filter(([kind]) => kind !== "part").map(([kind, k]) => option(kind, k.sign + " " + kind, query.get("only"))), option("soon", "expires within 30 days", query.get("only")));
  const count = el("p", {class: "count", role: "status"});
  const grid = matrix();
  section.append(el("h2", {}, "Who reaches what"),
    el("div", {class: "tools"},
      el("label", {for: "rows"}, "Accounts and roles", rowFilter), el("label", {for: "columns"}, "Gateways", columnFilter),
      el("label", {for: "by"}, "A row for each of", by), el("label", {for: "sort"}, "Sort by", sort), el("label", {for: "only"}, "Show", only)),
    el("ul", {class: "legend"}, Object.values(kinds).map(k => el("li", {}, el("b", {class: k.class}, k.sign), " " + k.means))), count, grid.node);
  function fill() {
    remember("access", {rows: rowFilter.value, gateways: columnFilter.value, by: by.value === "accounts" ? "" : by.value, sort: sort.value === "name" ? "" : sort.value, only: only.value});
    const byAccount = by.value === "accounts";
    let rows = reaches[by.value] ||= reach(byAccount);
    const wanted = (words, text) => words.toLowerCase().split(/\s+/).filter(Boolean).every(word => text.toLowerCase().includes(word));
    const columns = gateways.filter(g => wanted(columnFilter.value, g.arn));
    const soon = group => group.expires && Date.parse(group.expires) - now < 30 * day;
    const passes = only.value === "" ? () => true : only.value === "soon" ? ([, group]) => soon(group) : ([, group]) => group.kind === only.value;
    const visible = new Set(columns.map(g => g.index));
    const filtered = rowFilter.value || columnFilter.value || only.value;
    if (filtered) rows = rows.map(row => {
      const rowMatches = wanted(rowFilter.value, row.name);
      const cells = new Map();
      for (const [column, cell] of row.cells) {
        if (!visible.has(column)) continue;
        const kept = [...accesses(cell)].filter(access => passes(access) && (rowMatches || wanted(rowFilter.value, beside(people[access[0]].text, people[access[0]].account))));
        if (kept.length) cells.set(column, kept.flat());
      }
      return {name: row.name, cells};
    });
    rows = rows.filter(row => row.cells.size > 0);
    const name = (a, b) => collator.compare(a.name, b.name);
    rows.sort(sort.value === "most" ? (a, b) => b.cells.size - a.cells.size || name(a, b) : sort.value === "fewest" ? (a, b) => a.cells.size - b.cells.size || name(a, b) : name);
    const reached = rows.reduce((sum, row) => sum + row.cells.size, 0);
    count.textContent = counted(rows.length, byAccount ? "account" : "principal") + " × " + counted(columns.length, "gateway") + ": " + counted(reached, "pair") + " with access";
    grid.fill(rows, columns, byAccount);
  }
  for (const input of [rowFilter, columnFilter, by, sort, only]) input.addEventListener("input", fill);
  fill();
  all = () => printed(section, grid);
};

// For paper the matrix is a list, because most of it is not on the screen.
function printed(section, grid) {
  const list = el("div", {class: "frame paper"});
  for (const row of grid.rows().slice(0, 2000)) list.append(el("p", {}, el("b", {}, row.name), ": " + [...row.cells.keys()].map(c => gateways[c].id).join(", ")));
  section.append(list);
  grid.node.hidden = true;
  addEventListener("afterprint", () => { list.remove(); grid.node.hidden = false; }, {once: true});
}

// matrix draws only the cells that are in sight.
function matrix() {
  const height = 26, node = el("div", {class: "matrix", tabindex: "0", role: "grid", "aria-label": "who reaches which gateway; arrow keys move, Enter shows why"});
  const size = el("div", {class: "size"}), corner = el("div", {class: "corner"}), heads = el("div", {class: "heads"}), names = el("div", {class: "names"}), cells = el("div", {class: "cells"});
  size.append(corner, heads, names, cells);
  node.append(size);
  let rows = [], columns = [], byAccount = true, width = 30, top = 150, left = 150, at = [0, 0], narrow = true;
  const place = (element, x, y, w, h) => { Object.assign(element.style, {left: x + "px", top: y + "px", width: w + "px", height: h + "px"}); return element; };
  function fill(newRows, newColumns, accounts) {
    [rows, columns, byAccount] = [newRows, newColumns, accounts];
    narrow = 150 + columns.length * 176 > node.clientWidth;
    node.className = "matrix " + (narrow ? "narrow" : "wide");
    [width, top] = narrow ? [30, 170] : [176, 34];
    left = !byAccount ? 430 : nameOf.size > 0 ? 320 : 150;
    at = [Math.min(at[0], Math.max(rows.length - 1, 0)), Math.min(at[1], Math.max(columns.length - 1, 0))];
    Object.assign(size.style, {width: left + columns.length * width + "px", height: top + rows.length * height + "px"});
    node.style.height = Math.min(top + rows.length * height + 20, Math.max(360, innerHeight - 330)) + "px";
    node.setAttribute("aria-rowcount", rows.length + 1);
    node.setAttribute("aria-colcount", columns.length + 1);
    corner.replaceChildren(place(el("span", {}, byAccount ? "account" : "principal"), 0, 0, left, top));
    node.scrollTo(0, 0);
    draw();
  }
  function draw() {
    const x = node.scrollLeft, y = node.scrollTop;
    const firstRow = Math.max(0, Math.floor(y / height) - 4), lastRow = Math.min(rows.length, Math.ceil((y + node.clientHeight) / height) + 4);
    const firstColumn = Math.max(0, Math.floor(x / width) - 4), lastColumn = Math.min(columns.length, Math.ceil((x + node.clientWidth) / width) + 4);
    const headNodes = [], nameNodes = [], cellNodes = [];
    for (let c = firstColumn; c < lastColumn; c++)
      headNodes.push(place(el("div", {class: "head" + (c === at[1] ? " lit" : ""), role: "columnheader", title: columns[c].arn, "aria-colindex": c + 2}, el("span", {}, columns[c].id)), left + c * width, 0, width, top));
    for (let r = firstRow; r < lastRow; r++) {
      nameNodes.push(place(el("div", {class: "name" + (r === at[0] ? " lit" : ""), role: "rowheader", title: rows[r].name, "aria-rowindex": r + 2}, rows[r].name), 0, top + r * height, left, height));
      for (let c = firstColumn; c < lastColumn; c++) {
        const active = r === at[0] && c === at[1], cell = rows[r].cells.get(columns[c].index);
        if (!cell && !active) continue;
        const kind = cell && kinds[kindOf(cell, byAccount)];
        cellNodes.push(place(el("div", {class: "cell " + (kind ? kind.class : "") + (active ? " active" : ""), role: "gridcell", id: active ? "active" : undefined, "aria-rowindex": r + 2, "aria-colindex": c + 2,
          "aria-label": rows[r].name + " on " + columns[c].id + ": " + (kind ? kind.means : "no access"), "data-row": r, "data-column": c}, kind ? kind.sign : ""), left + c * width, top + r * height, width, height));
      }
    }
    heads.replaceChildren(...headNodes);
    names.replaceChildren(...nameNodes);
    cells.replaceChildren(...cellNodes);
    node.setAttribute("aria-activedescendant", "active");
  }
  function move(row, column) {
    at = [Math.max(0, Math.min(rows.length - 1, row)), Math.max(0, Math.min(columns.length - 1, column))];
    const x = left + at[1] * width, y = top + at[0] * height;
    node.scrollTo(
      Math.min(x - left, Math.max(node.scrollLeft, x + width - node.clientWidth)),
      Math.min(y - top, Math.max(node.scrollTop, y + height - node.clientHeight)));
    draw();
  }
  node.addEventListener("scroll", () => requestAnimationFrame(draw), {passive: true});
  addEventListener("resize", () => node.isConnected && draw());
  node.addEventListener("keydown", event => {
    const page = Math.max(1, Math.floor((node.clientHeight - top) / height) - 1), [row, column] = at;
    const keys = {ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      PageDown: [row + page, column], PageUp: [row - page, column], Home: event.ctrlKey ? [0, 0] : [row, 0], End: event.ctrlKey ? [rows.length, columns.length] : [row, columns.length]};
    if (keys[event.key]) { event.preventDefault(); move(...keys[event.key]); }
    if (event.key === "Enter" && rows.length) { event.preventDefault(); details(rows[row], columns[column]); }
  });
  cells.addEventListener("click", event => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    move(Number(cell.dataset.row), Number(cell.dataset.column));
    details(rows[at[0]], columns[at[1]]);
  });
  return {node, fill, rows: () => rows};
}

function details(row, gateway) {
  const cell = row.cells.get(gateway.index) || [];
  document.getElementById("details-title").textContent = row.name + " on " + gateway.id;
  document.getElementById("details-body").replaceChildren(cell.length === 0 ? el("p", {}, "No access.") : el("table", {},
    el("thead", {}, el("tr", {}, ["Principal", "Access", "Because of", "Conditions", "Expires"].map(name => el("th", {scope: "col"}, name)))),
    el("tbody", {}, [...accesses(cell)].map(([p, group]) => el("tr", {},
      el("td", {}, beside(people[p].text, people[p].account)), el("td", {class: kinds[group.kind].class}, group.kind),
      el("td", {}, group.statement || (group.g || []).map(i => el("div", {}, "grant " + grantName(i), i >= 0 && data.grants[i].reason ? el("div", {class: "faint"}, data.grants[i].reason) : ""))),
      el("td", {}, group.under || "", group.message ? el("div", {class: "pending"}, group.message) : ""), el("td", {class: "number"}, when(group.expires)))))));
  dialog.showModal();
}

// ---- the other sections
const link = gateway => el("a", {href: "#access?gateways=" + encodeURIComponent(gateway.id), title: gateway.arn}, gateway.id);
const accountsOf = gateway => new Set(gateway.access.flatMap(group => group.p.map(p => people[p].account))).size;
const state = g => g.unread ? "not read: " + g.unread : g.code ? g.code + ": " + g.message : g.pending ? "a reconcile would write its policy" : "as its grants say";
sections.gateways = (section, query) => table(section, "gateways", query, {
  title: "Gateways", none: "There is no managed gateway.", rows: gateways.map(g => ({...g, accounts: accountsOf(g)})), columns: [
    {name: "Gateway", text: g => g.id, show: link, class: "id"}, {name: "Account", text: g => g.account, class: "number"}, {name: "Region", text: g => g.region, class: "id"},
    {name: "Accounts", text: g => g.accounts, class: "number"},
    {name: "Bytes used", text: g => g.bytes, class: "number", show: g => [el("meter", {min: 0, max: g.maxBytes || 1, high: 0.85 * g.maxBytes, value: g.bytes}), g.bytes.toLocaleString("en") + " of " + g.maxBytes.toLocaleString("en")]},
    {name: "Statements", text: g => g.statements, class: "number", show: g => [g.statements + " of " + g.maxStatements]},
    {name: "Foreign", text: g => g.foreign.length, class: "number"}, {name: "Left out", text: g => g.attention.length, class: "number"},
    {name: "State", text: state, show: g => [el("span", {class: g.unread || g.code ? "ended" : g.pending ? "pending" : "granted"}, state(g))]},
  ]});
const onGateway = g => g.gateway === "*" ? "every gateway" : idOf(g.gateway);
const story = [{name: "Reason", text: g => g.reason || ""}, {name: "Requested by", text: g => g.requestedBy || ""}, {name: "Source", text: g => g.source || ""}];
sections.grants = (section, query) => table(section, "grants", query, {
  title: "Grants", none: "The grants table is empty.", rows: data.grants, columns: [
    {name: "Gateway", text: onGateway, class: "id"}, {name: "Grant", text: g => g.grant}, {name: "Lets in", text: g => g.principal || "(cannot be understood)"},
    {name: "Expires", text: g => when(g.expires), class: "number"}, ...story]});
const daysLeft = g => Math.ceil((Date.parse(g.expires) - now) / day);
sections.expiries = (section, query) => { if (!query.get("sort")) query.set("sort", "0"); table(section, "expiries", query, {
  title: "Expiries", about: "Grants that end, by date.", none: "No grant expires.", rows: data.grants.filter(g => g.expires), columns: [
    {name: "Expires", text: g => when(g.expires), sort: g => Date.parse(g.expires), class: "number"},
    {name: "In", text: daysLeft, class: "number", show: g => [el("span", {class: daysLeft(g) <= 0 ? "faint" : daysLeft(g) <= 30 ? "pending" : ""}, daysLeft(g) <= 0 ? "ended" : counted(daysLeft(g), "day"))]},
    {name: "Gateway", text: onGateway, class: "id"}, {name: "Grant", text: g => g.grant}, {name: "Lets in", text: g => g.principal}, ...story]}); };
sections.attention = (section, query) => table(section, "attention", query, {
  title: "What needs attention", about: "Grants that are not, or not wholly, in a policy, and gateways that no grant can be applied to.", none: "Every grant is in its policy.",
  rows: gateways.flatMap(g => [...(g.unread || g.code ? [{gateway: g, grant: "", phase: g.unread ? "Unread" : "Blocked", code: g.code || "", message: g.unread || g.message}] : []),
    ...g.attention.map(a => ({gateway: g, grant: grantName(a.g), ...a}))]), columns: [
    {name: "Gateway", text: a => a.gateway.id, show: a => [link(a.gateway)], class: "id"}, {name: "Grant", text: a => a.grant}, {name: "Phase", text: a => a.phase},
    {name: "Reason", text: a => a.code, show: a => [el("span", {class: "ended"}, a.code)]}, {name: "Message", text: a => a.message}, {name: "Since", text: a => when(a.since), class: "number"}]});
sections.foreign = (section, query) => table(section, "foreign", query, {
  title: "Foreign statements", about: "Statements that this installation did not write, and does not touch. gateway-grants gateway import turns an Allow into grants.", none: "No policy has a statement of others.",
  rows: gateways.flatMap(g => g.foreign.map(s => ({gateway: g, ...s}))), columns: [
    {name: "Gateway", text: s => s.gateway.id, show: s => [link(s.gateway)], class: "id"}, {name: "Statement", text: s => s.name, class: "id"},
    {name: "Effect", text: s => s.effect, show: s => [el("span", {class: s.effect === "Deny" ? "ended" : "foreign"}, s.effect)]},
    {name: "Names", text: s => s.who}, {name: "Text", text: s => s.text, show: s => [el("pre", {}, s.text)]}]});
sections.changes = (section, query) => { if (!query.get("sort")) query.set("sort", "-0"); table(section, "changes", query, {
  title: "Recent changes", about: "Policies that were written, the newest first.", none: "The journal has no change.",
  rows: gateways.flatMap(g => g.changes.map(c => ({gateway: g, ...c}))), columns: [
    {name: "When", text: c => when(c.at), sort: c => Date.parse(c.at), class: "number"}, {name: "Gateway", text: c => c.gateway.id, show: c => [link(c.gateway)], class: "id"},
    {name: "Gained", text: c => (c.gained || []).join(" "), show: c => some(c.gained, "granted")}, {name: "Lost", text: c => (c.lost || []).join(" "), show: c => some(c.lost, "ended")},
    {name: "Cause", text: c => c.cause}, {name: "By", text: c => c.by || ""}, {name: "Plan", text: c => c.planHash || "", class: "id"}, {name: "Outcome", text: c => c.outcome}]}); };
const some = (list, kind) => (list || []).slice(0, 3).map(text => el("div", {class: kind}, text)).concat((list || []).length > 3 ? [el("div", {class: "faint"}, "and " + (list.length - 3) + " more")] : []);
sections.approvals = (section, query) => table(section, "approvals", query, {
  title: "Waiting for approval", about: "Mass departures of accounts, roles that were created again, and takeovers of gateways. Nothing changes until an admin approves: gateway-grants approve ID.", none: "Nothing waits for an admin.",
  rows: data.approvals, columns: [
    {name: "ID", text: a => a.id, class: "id"}, {name: "What", text: a => beside(a.what, a.account)},
    {name: "Adds", text: a => a.adds.join(" "), show: a => some(a.adds, "granted")}, {name: "Removes", text: a => a.removes.join(" "), show: a => some(a.removes, "ended")},
    {name: "Grants", text: a => a.grants.join(", ")}, {name: "Since", text: a => when(a.since), class: "number"}]});

addEventListener("hashchange", show);
show();
document.documentElement.dataset.ready = "true";
})();
