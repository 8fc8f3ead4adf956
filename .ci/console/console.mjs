// The console in a real browser: what a person on call sees and does, with and without a script, on
// a desk and on a phone, and with strangers' texts that would rather be more than texts.
//
//   node .ci/console/console.mjs BINARY MODULES [PICTURES]
//
// BINARY is a casewright, MODULES a node_modules with playwright-core and axe-core. It starts a
// simulated vendor and a daemon of its own, and leaves pictures of every page in PICTURES
// (target/console if not given). CASEWRIGHT_CHROMIUM says which browser; else Debian's.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [binary, modules, pictures = "target/console"] = process.argv.slice(2);
if (!binary || !modules) {
  console.error("usage: console.mjs BINARY MODULES [PICTURES]");
  process.exit(2);
}
const require = createRequire(path.resolve(modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
fs.mkdirSync(pictures, { recursive: true });

const TOKENS = { admin: "console-admin-0123456789abcdef0123", operator: "console-operator-0123456789abcdef", viewer: "console-viewer-0123456789abcdef0" };
const EVIL = [
  "<script>window.hit=1</script>",
  "\"><img src=x onerror=window.hit=1>",
  "' onmouseover='window.hit=1",
  "javascript:window.hit=1",
  "\u202egnirts a\u0000\u001b[31m\u200b",
  "x".repeat(10000),
].join(" ");

const wait = (millis) => new Promise((done) => setTimeout(done, millis));

async function until(what, look) {
  const deadline = Date.now() + 40000;
  for (;;) {
    const seen = await look().catch(() => false);
    if (seen) return seen;
    assert(Date.now() < deadline, `not seen within 40 s: ${what}`);
    await wait(100);
  }
}

function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

const children = [];
function start(args, env = {}) {
  const child = spawn(path.resolve(binary), args, { stdio: ["ignore", "pipe", "inherit"], env: { PATH: process.env.PATH, RUST_LOG: "error", CASEWRIGHT_LOG: "error", ...env } });
  children.push(child);
  child.said = "";
  child.stdout.on("data", (text) => { child.said += text; });
  return child;
}

async function open() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "casewright-console-"));
  const [vendor, hooks, admin] = [await freePort(), await freePort(), await freePort()];
  fs.cpSync(path.join(root, "config/rules"), path.join(folder, "rules"), { recursive: true });
  fs.copyFileSync(path.join(root, "tests/support/rules.yaml"), path.join(folder, "rules/90-tests.yaml"));
  const tokens = Object.entries(TOKENS).map(([name, token]) => `    - { name: ${name}, role: ${name}, token: ${token} }`).join("\n");
  const simulation = start(["sandbox", "--listen", `127.0.0.1:${vendor}`]);
  await until("the simulation", async () => (await fetch(`http://127.0.0.1:${vendor}/sandbox/cases`)).ok);
  // It says how it wants to be talked to.
  const said = await until("its credentials", async () => simulation.said.includes("access_token") && simulation.said);
  const secret = (key) => new RegExp(`${key}: (\\S+)`).exec(said)[1];
  const config = `
server:
  listen: '127.0.0.1:${hooks}'
  admin_listen: '127.0.0.1:${admin}'
  reload_on_change: false
  admin_tokens:
${tokens}
store: { sqlite: casewright.db }
rules: [rules/*.yaml]
limits: off
templates: ${path.join(root, "templates")}
sources:
  - { name: alertmanager, kind: alertmanager, auth: { bearer: [demo-token] } }
  - { name: pagerduty, kind: pagerduty, secrets: [demo-secret] }
vendors:
  - name: akamai
    kind: akamai
    base_url: http://127.0.0.1:${vendor}
    credentials: { client_token: '${secret("client_token")}', client_secret: '${secret("client_secret")}', access_token: '${secret("access_token")}' }
    timeout: 2s
    retry: { initial: 50ms, max: 300ms, horizon: 72h }
    reconcile: { window: 400ms, looks: 3 }
    watch: { fastest: 1s, slowest: 1m }
    rate: { per_second: 500, burst: 500 }
`;
  const file = path.join(folder, "casewright.yaml");
  fs.writeFileSync(file, config);
  const daemon = start(["serve", "--config", file]);
  daemon.on("exit", (code) => { if (code) console.error(`serve ended with ${code}`); });
  await until("the daemon", async () => (await fetch(`http://127.0.0.1:${admin}/-/ready`)).ok);
  return { folder, base: `http://127.0.0.1:${admin}`, hooks: `http://127.0.0.1:${hooks}`, vendor: `http://127.0.0.1:${vendor}` };
}

async function hears(house, alertname, labels = {}, annotations = {}, more = {}) {
  const all = { alertname, severity: "critical", ...labels };
  const body = {
    version: "4", groupKey: `{}:{alertname="${alertname}"}`, receiver: "casewright", status: "firing", truncatedAlerts: 0,
    groupLabels: { alertname }, commonLabels: all, commonAnnotations: {}, externalURL: "http://alertmanager.example:9093",
    alerts: [{ status: "firing", labels: all, annotations, startsAt: new Date().toISOString(), endsAt: "0001-01-01T00:00:00Z", generatorURL: "http://prometheus.example/graph?g0.expr=up", ...more }],
  };
  const answer = await fetch(`${house.hooks}/webhooks/alertmanager`, { method: "POST", headers: { "Content-Type": "application/json", Authorization: "Bearer demo-token" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 202, await answer.text());
}

const api = async (house, address) => (await fetch(`${house.base}/api/v1${address}`, { headers: { Authorization: `Bearer ${TOKENS.admin}` } })).json();
const incidents = async (house) => (await api(house, "/incidents")).incidents;
const metric = async (house, name) => Number((await (await fetch(`${house.base}/metrics`)).text()).split("\n").find((line) => line.startsWith(`${name} `)).split(" ")[1]);

async function login(page, house, role, next = "/") {
  await page.goto(`${house.base}${next}`);
  assert.match(page.url(), /\/login\?next=/, "who is not logged in is led to the login");
  await page.fill("#token", TOKENS[role]);
  await page.click("main button");
  await page.waitForLoadState();
  assert.equal(new URL(page.url()).pathname, new URL(next, house.base).pathname, "and from there back");
}

// What must hold on every page.
async function sound(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert(wide <= 0, `${name}: the page scrolls sideways by ${wide} px`);
  assert.equal(await page.evaluate(() => window.hit), undefined, `${name}: a stranger's text was run`);
  assert.equal(await page.locator("main img, main script, main iframe, [onerror], [onmouseover]").count(), 0, `${name}: markup of strangers`);
  assert.equal(await page.locator("a[href^='javascript:' i], a[href^='data:' i]").count(), 0, `${name}: a link that runs`);
}

// The script of axe is run by the debugger, which the page's policy does not concern.
async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  const bad = violations.filter((one) => ["serious", "critical"].includes(one.impact));
  assert.deepEqual(bad.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`), [], name);
}

const passed = [];
async function proves(what, work) {
  await work();
  passed.push(what);
  console.log(`ok      ${what}`);
}

async function main() {
  const house = await open();
  const browser = await chromium.launch({
    executablePath: process.env.CASEWRIGHT_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const errors = [];
  const context = async (options = {}) => {
    const made = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    made.setDefaultTimeout(20000);
    made.on("page", (page) => {
      page.on("console", (message) => { if (message.type() === "error" && /Content Security Policy|Refused/i.test(message.text())) errors.push(message.text()); });
      page.on("pageerror", (error) => errors.push(String(error)));
    });
    return made;
  };

  // One of each: a case, a held one, a dead letter, an alert that no rule takes, and hostility.
  await hears(house, "EdgeHigh5xxRatio", { property: "www.example.com", env: "production" }, { threshold: "2 %", summary: "5xx above 2 %" });
  await until("a case", async () => (await incidents(house)).some((one) => one.case));
  await hears(house, "Asked", { property: "shop" }, { summary: "Players buffer" });
  await fetch(`${house.vendor}/sandbox/faults`, { method: "PUT", body: JSON.stringify({ faults: [{ kind: "refuse", on: "create", next: 1 }] }) });
  await hears(house, "EdgeHigh5xxRatio", { property: "api.example.com", env: "production" }, { threshold: "2 %", summary: "5xx above 2 %" });
  await until("a dead letter", async () => (await api(house, "/actions")).actions.length > 0);
  await hears(house, "NobodyKnowsThis", { team: "none" });
  await hears(house, "Asked", { property: EVIL.slice(0, 900), evil: EVIL }, { summary: EVIL, runbook_url: "javascript:window.hit=1", dashboard: "https://grafana.example/d/1" }, { generatorURL: "javascript:window.hit=1" });
  await until("five incidents", async () => (await incidents(house)).length >= 4);
  const all = await incidents(house);
  const hostile = all.find((one) => one.state === "held" && one.title.includes("script"));
  const held = all.find((one) => one.state === "held" && one !== hostile);
  const opened = all.find((one) => one.case);
  const dead = (await api(house, "/actions")).actions[0];
  assert(hostile && held && opened && dead, JSON.stringify(all).slice(0, 500));
  const delivery = (await api(house, `/incidents/${hostile.id}`)).delivery;
  await fetch(`${house.vendor}/sandbox/cases/${opened.case}/comments`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ comment: EVIL.slice(0, 1500) }) });

  const places = [
    ["overview", "/"], ["incidents", "/incidents"], ["incident", `/incidents/${opened.id}`], ["hostile", `/incidents/${hostile.id}`],
    ["held", "/held"], ["actions", "/actions"], ["why", `/why?about=EdgeHigh5xxRatio`], ["delivery", `/deliveries/${delivery}`],
    ["deliveries", "/deliveries"], ["rules", "/rules"], ["vendors", "/vendors"], ["catalog", "/catalog"], ["mutes", "/mutes"], ["audit", "/audit"],
    ["draft", `/incidents/${hostile.id}/draft`], ["narrowed", "/deliveries?source=alertmanager&fate=unmatched"],
  ];
  // What is refused is a page like any other.
  const refused = [["refused", `/deliveries?cursor=${encodeURIComponent(EVIL.slice(0, 300))}`], ["unknown", "/nothing"]];

  const desk = await context();
  const page = await desk.newPage();
  await proves("who is not logged in is led to the login, and from there back", () => login(page, house, "operator", `/incidents/${opened.id}`));
  await proves("every page is sound and accessible, light and dark, at a desk and on a phone", async () => {
    for (const [size, viewport] of [["desk", { width: 1280, height: 900 }], ["phone", { width: 360, height: 740 }]]) {
      await page.setViewportSize(viewport);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        for (const [name, address] of [...places, ...refused]) {
          const answer = await page.goto(house.base + address);
          assert.equal(answer.ok(), !refused.some(([one]) => one === name), address);
          await sound(page, `${name} (${size}, ${scheme})`);
          // Colours are the same in every size.
          if (scheme === "light" || size === "desk") await accessible(page, `${name} (${size}, ${scheme})`);
          if (scheme === "light" || name === "overview" || name === "incident") await page.screenshot({ path: `${pictures}/${name}-${size}-${scheme}.png`, fullPage: name !== "hostile" && name !== "delivery" });
        }
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: "light" });
  });
  await proves("the whole navigation is seen at every width, and nothing is clipped", async () => {
    for (const width of [360, 400, 480, 600, 704, 705, 768, 900, 1024, 1100, 1200, 1280, 1312, 1313, 1366, 1440, 1600]) {
      await page.setViewportSize({ width, height: 700 });
      await page.goto(`${house.base}/vendors`);
      await sound(page, `vendors at ${width} px`);
      const clipped = await page.evaluate(() => {
        const box = document.querySelector(".top nav");
        const parts = [...document.querySelectorAll(".top a, .top .user, .top button")];
        const outside = parts.filter((part) => {
          const { left, right, width: wide } = part.getBoundingClientRect();
          return wide === 0 || left < 0 || right > document.documentElement.clientWidth;
        });
        return [...outside.map((part) => part.textContent), ...(box.scrollWidth > box.clientWidth ? ["nav"] : [])];
      });
      assert.deepEqual(clipped, [], `at ${width} px`);
      if ([360, 600, 768, 1024, 1200, 1600].includes(width)) await page.screenshot({ path: `${pictures}/width-${width}.png` });
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });
  await proves("the timeline tells what was decided, sent and answered", async () => {
    await page.goto(`${house.base}/incidents/${opened.id}`);
    const told = await page.locator(".timeline").innerText();
    assert.match(told, /open the case: sent/);
    assert.match(told, /HTTP 20\d/);
    assert.match(await page.locator(".number").innerText(), new RegExp(opened.case));
  });
  await proves("the keyboard alone reaches the page and its buttons", async () => {
    await page.goto(`${house.base}/held`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(() => document.activeElement.matches("main button.main"))) return;
    }
    assert.fail("no button was reached");
  });
  await proves("a page follows what happens, and takes nothing from who types", async () => {
    await page.goto(`${house.base}/mutes`);
    await page.fill("#reason", "half a sente");
    const other = await desk.newPage();
    await other.goto(`${house.base}/incidents`);
    await other.waitForSelector("#live:not([hidden])");
    await hears(house, "EdgeHigh5xxRatio", { property: "live.example.com", env: "production" }, { threshold: "2 %" });
    await other.waitForSelector("main >> text=live.example.com");
    assert.equal(await page.inputValue("#reason"), "half a sente");
    await other.close();
  });
  await proves("a held incident is approved and gets its case", async () => {
    await page.goto(`${house.base}/held`);
    await page.locator(`form[action="/incidents/${held.id}/approve"] button`).click();
    await page.waitForSelector(".done");
    await until("its case", async () => (await incidents(house)).find((one) => one.id === held.id).case);
  });
  await proves("a dead letter is tried again", async () => {
    await page.goto(`${house.base}/actions`);
    await page.locator(`form[action="/actions/${dead.id}/retry"] button[value=look]`).click();
    await page.waitForSelector(".done");
    await until("its case", async () => (await incidents(house)).find((one) => one.id === dead.incident).case);
  });
  await proves("why there is no case is told, down to the matcher that failed", async () => {
    await page.goto(`${house.base}/why`);
    await page.fill("#about", "NobodyKnowsThis");
    await page.keyboard.press("Enter");
    await page.locator("main a[href^='/deliveries/']").first().click();
    await page.waitForSelector("#explain-name");
    assert.match(await page.locator("main").innerText(), /alertname.*and the label is "NobodyKnowsThis"/s);
  });
  await proves("a rule is muted and the mute lifted", async () => {
    await page.goto(`${house.base}/mutes?rule=edge-5xx`);
    await page.fill("#reason", "the origin moves");
    await page.click(".form button");
    await page.waitForSelector("main >> text=the origin moves");
    await page.locator("form[action^='/mutes/'] button").first().click();
    await page.waitForSelector("main >> text=Nothing is muted by a person.");
  });
  await proves("a draft is changed in a form, what is wrong stands beside it, and nothing written is lost", async () => {
    const address = `${house.base}/incidents/${hostile.id}/draft`;
    await page.goto(address);
    await page.fill("#product", "Ion Premiere");
    await page.fill("#description", EVIL.replaceAll(/[\u0000\u001b]/g, ""));
    await page.click(".draft button.main");
    await page.waitForSelector("#product-wrong");
    await sound(page, "a draft that is refused");
    await accessible(page, "a draft that is refused");
    await page.screenshot({ path: `${pictures}/draft-refused-desk-light.png` });
    assert.match(await page.inputValue("#description"), /^<script>window\.hit=1<\/script>/);
    await page.fill("#product", "Ion Premier");
    await page.fill("#description", "Players buffer, <b>seen</b> by us");
    // Somebody else is quicker.
    const other = await desk.newPage();
    await other.goto(address);
    await other.fill("#subject", "By somebody else");
    await other.click(".draft button.main");
    await other.waitForSelector(".done");
    await other.close();
    await page.click(".draft button.main");
    await page.waitForSelector(".bad-box >> text=The draft has been edited since it was read");
    await sound(page, "a draft that somebody else has changed");
    await accessible(page, "a draft that somebody else has changed");
    await page.screenshot({ path: `${pictures}/draft-moved-desk-light.png`, fullPage: true });
    assert.equal(await page.inputValue("#description"), "Players buffer, <b>seen</b> by us");
    assert.equal(await page.inputValue("#subject"), "By somebody else", "who has not changed it keeps theirs");
    await page.click(".draft button.main");
    await page.waitForSelector(".done");
    const draft = await api(house, `/incidents/${hostile.id}/draft`);
    assert.deepEqual([draft.draft.subject, draft.edited.fields], ["By somebody else", ["subject", "description"]]);
    assert.match(draft.draft.description, /^Players buffer, <b>seen<\/b> by us/);
  });
  await proves("a vendor is left alone with a reason, and the pause ended", async () => {
    await page.goto(`${house.base}/vendors`);
    await page.locator("details summary").first().click();
    await page.locator("form[action$='/pause'] input[name=reason]").first().fill(EVIL.slice(0, 300));
    await page.locator("form[action$='/pause'] button").first().click();
    await page.waitForSelector(".done");
    await sound(page, "a vendor that is left alone");
    await accessible(page, "a vendor that is left alone");
    await page.screenshot({ path: `${pictures}/vendor-paused-desk-light.png`, fullPage: true });
    await page.locator("form[action$='/resume'] button").first().click();
    await page.waitForSelector(".done >> text=What waits goes on");
    assert.equal(await page.locator("form[action='/vendors/akamai/resume']").count(), 0);
  });
  await proves("strangers' texts stay texts in every filter and in what is refused", async () => {
    const evil = encodeURIComponent(EVIL.slice(0, 700));
    const filters = [
      "/incidents?title=", "/incidents?rule=", "/incidents?state=", "/incidents?cursor=", "/deliveries?source=", "/deliveries?fate=", "/deliveries?cursor=",
      "/audit?who=", "/audit?object=", "/audit?act=", "/audit?cursor=", "/why?about=", "/catalog?text=", "/catalog?vendor=", "/mutes?rule=", "/mutes?done=", "/vendors?done=", "/nothing/",
    ];
    for (const address of filters) {
      await page.goto(house.base + address + evil);
      await sound(page, address);
      // What the record says may be told; what an address says is not.
      if (address.includes("done=")) assert.doesNotMatch(await page.locator("main").innerText(), /script|onerror/, address);
      assert.equal(await page.locator("h1").count(), 1, address);
    }
  });
  await proves("whose session ends over a form is told that it was not done, and led back to it", async () => {
    const late = await context();
    const form = await late.newPage();
    await login(form, house, "operator", "/mutes?rule=edge-5xx");
    await form.fill("#reason", "too late");
    await late.clearCookies();
    await form.click(".form button");
    await form.waitForSelector("#token");
    assert.match(await form.locator("main").innerText(), /was not done/);
    await sound(form, "a session that has ended");
    await accessible(form, "a session that has ended");
    await form.screenshot({ path: `${pictures}/session-over-desk-light.png` });
    await form.fill("#token", TOKENS.operator);
    await form.click("main button");
    await form.waitForSelector("#reason");
    assert.equal(new URL(form.url()).pathname + new URL(form.url()).search, "/mutes?rule=edge-5xx");
    assert.match(await form.locator("main").innerText(), /Nothing is muted by a person/);
    await late.close();
  });
  await proves("what people did is on record", async () => {
    await page.goto(`${house.base}/audit`);
    const told = await page.locator("main").innerText();
    for (const act of ["approve", "retry", "mute", "unmute", "login"]) assert.match(told, new RegExp(act));
  });
  await proves("a viewer sees everything and no button", async () => {
    const quiet = await context();
    const viewer = await quiet.newPage();
    await login(viewer, house, "viewer");
    for (const [, address] of places) {
      await viewer.goto(house.base + address);
      assert.equal(await viewer.locator("main form[method=post]").count(), 0, address);
    }
    const answer = await viewer.request.post(`${house.base}/incidents/${hostile.id}/approve`, { form: {} });
    assert.equal(answer.status(), 403);
    await quiet.close();
  });
  await proves("without a script everything is there and works", async () => {
    const bare = await context({ javaScriptEnabled: false });
    const plain = await bare.newPage();
    await login(plain, house, "operator");
    for (const [, address] of places) assert.equal((await plain.goto(house.base + address)).status(), 200);
    await plain.goto(`${house.base}/incidents/${hostile.id}`);
    await plain.locator("form[action$='/reject'] button").click();
    await plain.waitForSelector(".done");
    await bare.close();
  });
  await proves("whoever logs out is out", async () => {
    await page.click("form[action='/logout'] button");
    await page.goto(`${house.base}/incidents`);
    assert.match(page.url(), /\/login/);
    await sound(page, "login");
    await accessible(page, "login");
    await page.screenshot({ path: `${pictures}/login-desk-light.png` });
  });
  await proves("no browser had anything to report", async () => {
    assert.deepEqual(errors, []);
    assert.equal(await metric(house, "casewright_csp_reports_total"), 0);
  });
  await browser.close();
  console.log(`${passed.length} promises hold; the pictures are in ${pictures}`);
}

let failed;
try {
  await main();
} catch (error) {
  failed = error;
  console.error(error);
} finally {
  for (const child of children) child.kill("SIGTERM");
}
process.exit(failed ? 1 : 0);
