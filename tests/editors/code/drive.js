// Drives VS Code with the extension through one session, and writes down what was on the screen as JSON.
//   node drive.js URL FOLDER    FOLDER has settings.json of the user; seen.json and pictures are written there
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const { Code, until, within } = require("./browser.js");

const [url, folder] = process.argv.slice(2);
const seen = {};
const STEP_MS = 150000;
const LOOK_MS = 20000;

const own = JSON.parse(fs.readFileSync(path.join(folder, "data", "User", "settings.json"), "utf8"));

/** Change settings as a person does who writes them as JSON. */
async function set(code, changes) {
  await code.command("Preferences: Open User Settings (JSON)");
  await until("the settings are open", async () => (await code.texts(".tab.active")).some((tab) => tab.includes("settings.json")));
  await code.page.locator(".monaco-editor .view-lines").first().click();
  await code.page.keyboard.press("Control+A");
  await code.page.keyboard.insertText(JSON.stringify({ ...own, ...changes }));
  await code.page.keyboard.press("Control+S");
  await code.command("View: Close Editor");
  await until("the text is back", async () => (await code.texts(".tab.active")).some((tab) => tab.includes("reviews.jsonl")));
}

/** Until all is explained and nothing on the screen has changed for a while: lenses come after the colours they tell of. */
async function settled(code) {
  const open = (lens) => lens.includes("so far") || lens.includes("stale") || lens.includes("…");
  let [before, since] = ["", Date.now()];
  await until("all is explained", async () => {
    const lenses = await code.lenses();
    const now = JSON.stringify([lenses, await code.coloured()]);
    if (now !== before || lenses.length !== 4 || lenses.some(open)) {
      [before, since] = [now, Date.now()];
    }
    return Date.now() - since > 800;
  });
}

async function opened(code) {
  await code.file("reviews.jsonl");
  await settled(code);
  seen.lenses = await code.lenses();
  await until("words are coloured", async () => (await code.coloured()).some(([word]) => word === "lifeless"));
  seen.coloured = await code.coloured();
  seen.ruler = await code.ruler();
  seen.hover = await code.hover("lifeless");
  // For the picture: it fades in.
  await code.page.waitForTimeout(500);
  await code.picture(path.join(folder, "vscode-hover.png"));
}

async function problems(code) {
  await code.command("Problems: Focus on Problems View");
  await until("the problems are there", async () => (await code.problems()).length > 1);
  seen.problems = await code.problems();
}

async function table(code) {
  await code.page.locator(".codelens-decoration a").nth(1).click();
  const shown = await until("the table is there", async () => {
    const found = await code.table();
    return found && found.head.includes("label positive") && found.rows.length > 0 && found;
  });
  seen.table = shown;
  await code.page.waitForTimeout(500);
  await code.picture(path.join(folder, "vscode.png"));
  const frame = await code.panel();
  await frame.click("tr[data-row]");
  const selected = async () => (await code.texts(".statusbar-item")).find((one) => one.includes("selected"));
  seen.selected = await until("the word of a row is selected", selected);
  seen.status = await until("the status bar has the prediction, and that the label differs", async () => {
    const found = await code.status();
    return found.includes("≠ label") && found;
  });
}

async function typed(code) {
  const count = async (text) => (await code.coloured()).filter(([word]) => word === text).length;
  await code.replace("slow", "boring");
  await until("the new word is coloured", async () => (await count("boring")) === 2);
  await settled(code);
  await until("it still is", async () => (await count("boring")) === 2);
  seen.typed = { coloured: await code.coloured(), lenses: await code.lenses() };
  await code.page.keyboard.press("Control+Z");
  await until("the old word is back", async () => (await count("boring")) === 1);
}

async function acted(code) {
  await code.word("boring").click();
  await code.act("Source Action...", "Copy the explanation as JSON");
  seen.copied = JSON.parse(await until("the explanation is copied", () => code.clipboard()));
  await code.act("Source Action...", "Explain against class positive");
  await until("the lens says what is explained", async () => (await code.lenses()).some((one) => one.includes("for negative against positive")));
  await settled(code);
  await code.word("boring").click();
  await code.act("Source Action...", "Explain what is predicted");
  await until("the lens says it no more", async () => !(await code.lenses()).some((one) => one.includes("against")));
  await settled(code);
}

/** A server that does not start is told of once, and the one of the setting that is mended starts, also at once. */
async function mended(code) {
  const file = path.join(folder, "data", "Machine", "settings.json");
  const sound = fs.readFileSync(file, "utf8");
  fs.writeFileSync(file, JSON.stringify({ "saliscope.server.command": ["/nowhere/saliscope", "lsp"] }));
  await until("colours are gone", async () => (await code.coloured()).length === 0);
  const told = () => code.texts(".notification-list-item-message");
  await until("it is told", async () => (await told()).some((one) => one.includes("does not start")));
  seen.mended = await told();
  await code.command("Notifications: Clear All Notifications");
  fs.writeFileSync(file, sound);
  await until("words are coloured again", async () => (await code.coloured()).length > 0);
  await settled(code);
  // Mended while it is still being started.
  const started = path.join(folder, "started");
  const slow = `touch ${JSON.stringify(started)}; sleep 1; exit 1`;
  fs.writeFileSync(file, JSON.stringify({ "saliscope.server.command": ["sh", "-c", slow] }));
  await until("it is being started", () => fs.existsSync(started));
  fs.writeFileSync(file, sound);
  await until("words are coloured once more", async () => (await code.coloured()).length > 0);
  await settled(code);
  await code.command("Notifications: Clear All Notifications");
}

/** A server that ends by itself is started again, and nothing is said of it. */
async function ended(code) {
  const file = path.join(folder, "data", "Machine", "settings.json");
  const sound = fs.readFileSync(file, "utf8");
  const [named, key] = [path.join(folder, "pid"), "saliscope.server.command"];
  const script = `echo $$ > ${JSON.stringify(named)}; exec "$@"`;
  fs.writeFileSync(file, JSON.stringify({ [key]: ["sh", "-c", script, "sh", ...JSON.parse(sound)[key]] }));
  const pid = () => (fs.existsSync(named) ? Number(fs.readFileSync(named, "utf8")) : 0);
  const first = await until("the server says who it is", pid);
  await settled(code);
  process.kill(first, "SIGKILL");
  await until("there is another one", () => pid() !== first);
  await until("words are coloured by it", async () => (await code.coloured()).length > 0);
  await settled(code);
  seen.ended = await code.texts(".notification-list-item-message");
  fs.writeFileSync(file, sound);
  await until("the one of the settings is back", async () => (await code.coloured()).length === 0);
  await until("words are coloured as before", async () => (await code.coloured()).length > 0);
  await settled(code);
}

/** A daemon that is killed comes back by itself, and what was typed meanwhile is explained. */
async function killed(code) {
  const run = ["-m", "saliscope.cli", "status", "--json"];
  const before = JSON.parse(execFileSync(process.env.SALISCOPE_PYTHON, run)).pid;
  process.kill(before, "SIGKILL");
  await code.replace("slow", "boring");
  await until("the new word is coloured", async () => (await code.coloured()).filter(([word]) => word === "boring").length === 2);
  await settled(code);
  seen.status_again = await until("the status bar is back", async () => {
    const found = await code.status();
    return found.includes("negative") && found;
  });
  seen.is_another = JSON.parse(execFileSync(process.env.SALISCOPE_PYTHON, run)).pid !== before;
  seen.told = await code.told();
}

async function untitled(code) {
  await code.command("File: New Untitled Text File");
  await until("there is an empty buffer", async () => (await code.texts(".tab.active")).some((tab) => tab.includes("Untitled")));
  await code.page.keyboard.type("a warm and charming film", { delay: 40 });
  await until("words are coloured", async () => (await code.coloured()).some(([word]) => word === "charming"));
  seen.untitled = await code.coloured();
}

async function settings(code) {
  await code.command("saliscope: Choose a method");
  await code.page.waitForSelector(".quick-input-widget input:focus");
  await code.choose("input-x-gradient");
  await until("the method is another", async () => (await code.lenses()).some((one) => one.includes("input-x-gradient")));
  seen.method = await code.lenses();
  await set(code, { "saliscope.codeLens": false, "saliscope.decorations": false });
  await until("lenses and colours are gone", async () => (await code.lenses()).length + (await code.coloured()).length === 0);
}

async function light(code) {
  await set(code, { "workbench.colorTheme": "Default Light Modern" });
  const ground = () => code.page.$eval(".monaco-editor", (one) => getComputedStyle(one).backgroundColor);
  await until("it is light", async () => (await ground()) === "rgb(255, 255, 255)");
  await settled(code);
  await until("words are coloured", async () => (await code.coloured()).length > 0);
  seen.light = await code.coloured();
  await code.picture(path.join(folder, "vscode-light.png"));
}

async function walkthrough(code) {
  await code.command("Welcome: Open Walkthrough");
  await code.page.waitForSelector(".quick-input-widget input:focus");
  await code.choose("Why did the model say that?");
  const steps = ".gettingStartedContainer .step-title";
  await until("the walkthrough is there", async () => (await code.texts(steps)).some((one) => one.includes("Install")));
  seen.walkthrough = await code.texts(steps);
}

async function run() {
  const code = await Code.open(url, path.join(folder, "chromium"));
  try {
    for (const step of [opened, problems, table, typed, acted, settings, light, mended, ended, killed, untitled, walkthrough]) {
      await within(step.name, STEP_MS, step(code));
    }
  } catch (error) {
    seen.error = String(error.stack || error);
    seen.notifications = await within("the look", LOOK_MS, code.texts(".notification-list-item-message")).catch(() => []);
    await within("the picture", LOOK_MS, code.picture(path.join(folder, "failed.png"))).catch(() => undefined);
  } finally {
    fs.writeFileSync(path.join(folder, "seen.json"), JSON.stringify(seen, null, 1));
    await within("the end", LOOK_MS, code.context.close()).catch(() => undefined);
  }
}

run().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
