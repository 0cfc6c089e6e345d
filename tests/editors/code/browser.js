// A page with VS Code in it: what a person does there, and what is on the screen.
const { chromium } = require("playwright-core");

const CHROMIUM = process.env.SALISCOPE_CHROMIUM || "/usr/bin/chromium";
const QUIET = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"];

async function until(what, ask, ms = 60000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The same promise, or a failure after so long: a page that hangs answers nothing. */
async function within(what, ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

class Code {
  static async open(url, profile) {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width: 1180, height: 680 },
      args: QUIET.map((name) => `--${name}`),
    });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = context.pages()[0] || (await context.newPage());
    await page.goto(url, { waitUntil: "domcontentloaded" });
    await page.waitForSelector(".monaco-workbench .statusbar-item", { timeout: 120000 });
    return new Code(context, page);
  }

  constructor(context, page) {
    this.context = context;
    this.page = page;
  }

  // -- what a person does ---------------------------------------------------------------------

  /** Choose the row that begins with `name` in the list that `key` opens. */
  async pick(key, name) {
    await this.page.keyboard.press(key);
    await this.page.waitForSelector(".quick-input-widget input:focus");
    await this.choose(name);
  }

  /** Choose a row of the list that is open. */
  async choose(name) {
    const rows = ".quick-input-list .monaco-list-row";
    await this.page.keyboard.type(name, { delay: 5 });
    await until(`${name} is listed`, async () => (await this.texts(rows)).some((row) => row.includes(name)));
    // The list is sorted again a moment after it is filled.
    await this.page.waitForTimeout(300);
    const row = this.page.locator(rows).filter({ hasText: name }).first();
    await row.click();
    await this.page.waitForSelector(".quick-input-widget", { state: "hidden" }).catch(() => undefined);
  }

  command(name) {
    return this.pick("F1", name);
  }

  async file(name) {
    await this.pick("Control+P", name);
    await this.page.waitForSelector(".monaco-editor .view-line");
  }

  word(text) {
    return this.page.locator(".view-line span span").filter({ hasText: new RegExp(`^${text}$`) }).first();
  }

  async replace(old, text) {
    await this.word(old).dblclick();
    await this.page.keyboard.type(text, { delay: 30 });
  }

  /** Choose what can be done at the caret, in the menu of a kind of actions. */
  async act(menu, title) {
    await this.command(menu);
    const rows = ".action-widget .monaco-list-row";
    await until(`${title} is offered`, async () => (await this.texts(rows)).some((row) => row.includes(title)));
    // The menu takes no click before the mouse has moved; keys it takes at once.
    await until(`${title} is chosen`, async () => {
      const chosen = await this.texts(`${rows}.focused`);
      if (chosen.some((row) => row.includes(title))) return true;
      await this.page.keyboard.press("ArrowDown");
      return false;
    });
    await this.page.keyboard.press("Enter");
  }

  picture(path) {
    return this.page.screenshot({ path });
  }

  clipboard() {
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  /** All that was told so far, also what has gone from the corner. */
  async told() {
    await this.command("Notifications: Show Notifications");
    await this.page.waitForSelector(".notifications-center.visible");
    const found = await this.texts(".notifications-center .notification-list-item-message");
    await this.command("Notifications: Hide Notifications");
    return found;
  }

  // -- what is on the screen ------------------------------------------------------------------

  async texts(selector) {
    const found = await this.page.$$eval(selector, (all) => all.map((one) => one.textContent));
    return found.map((text) => text.replace(/\u00a0/g, " "));
  }

  lenses() {
    return this.texts(".codelens-decoration");
  }

  /** [text, background, colour] of each word with a background, in order of place. */
  coloured() {
    return this.page.evaluate(() => {
      const clear = "rgba(0, 0, 0, 0)";
      const look = (element) => getComputedStyle(element);
      const grounds = [...document.querySelectorAll(".view-overlays .cdr")]
        .filter((one) => look(one).backgroundColor !== clear && /\bced-/.test(one.className))
        .map((one) => ({ box: one.getBoundingClientRect(), ground: look(one).backgroundColor }));
      const words = [...document.querySelectorAll('.view-line span[class*="ced-"]')];
      return words.flatMap((word) => {
        const box = word.getBoundingClientRect();
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
        const under = grounds.find(({ box: b }) => b.left <= x && x <= b.right && b.top <= y && y <= b.bottom);
        return under ? [[word.textContent, under.ground, look(word).color, box.top, box.left]] : [];
      })
        .sort((a, b) => a[3] - b[3] || a[4] - b[4])
        .map((row) => row.slice(0, 3));
    });
  }

  /** The colours in the overview ruler of the editor. */
  ruler() {
    return this.page.evaluate(() => {
      const canvas = document.querySelector(".monaco-editor canvas.decorationsOverviewRuler");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255) found.add(`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`);
      }
      return [...found];
    });
  }

  async hover(text) {
    const box = await this.word(text).boundingBox();
    await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const found = ".monaco-hover:not(.hidden) .hover-contents";
    const answers = async () => (await this.texts(found)).find((one) => one.includes("rank"));
    return until(`${text} has a hover`, answers);
  }

  problems() {
    return this.texts(".markers-panel .monaco-list-row");
  }

  async status() {
    return (await this.texts(".statusbar-item")).find((one) => one.includes("saliscope")) || "";
  }

  /** The frame of the attribution table; undefined before it is there. */
  async panel() {
    for (const frame of this.page.frames()) {
      const rows = await frame.$$("tr[data-row]").catch(() => []);
      if (rows.length > 0) return frame;
    }
    return undefined;
  }

  async table() {
    const frame = await this.panel();
    if (frame === undefined) return undefined;
    const cells = (all) => all.map((row) => [...row.children].map((cell) => cell.textContent.trim()));
    const rows = await frame.$$eval("tr[data-row]", cells).catch(() => []);
    const head = await frame.$eval("h1", (one) => one.textContent).catch(() => "");
    return { head, rows };
  }
}

module.exports = { Code, until, within };
