// An approval as an administrator sees it: in a real browser, with the demo. Screenshots go to the folder that SCREENSHOTS names.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { emptyFolder, startConsole } from "./support/childConsole.ts";
import { makeTenants } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { freePort } from "./support/freePort.ts";

const CUSTOMERS = fileURLToPath(new URL("../src/customers.ts", import.meta.url));
/** Debian's. */
const CHROMIUM = "/usr/bin/chromium";
const SIZES = {
  wide: { width: 1280, height: 800 },
  narrow: { width: 360, height: 640 },
};

const skip = "Deno" in globalThis
  ? "the browser is driven on Node"
  : !existsSync(CHROMIUM) && `there is no ${CHROMIUM}`;

let browser: Browser;

describe("in a browser", { skip }, () => {
  before(async () => {
    const { chromium } = await import("playwright-core");
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      // As root, and with nothing that asks hosts of the browser's maker.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
      ],
    });
  });

  after(() => browser?.close());

  /** Starts an approval of the demo, and opens the address that it prints. */
  async function open() {
    const port = await freePort();
    const variables = {
      SUPEROFFICE_REDIRECT_URL: `http://127.0.0.1:${port}/openid/callback`,
      // Not one that somebody runs beside.
      DEMO_PORT: String(await freePort()),
    };
    const args = ["approve", "--demo", "--no-open"];
    const child = startConsole(args, variables, emptyFolder(), CUSTOMERS);
    await child.waitFor(/The answer is waited for/);
    const address = child.output().split("\n").find((line) => /^https?:\/\/\S+$/.test(line));
    const page = await browser.newPage();
    // What a Content-Security-Policy refuses is said here, too.
    const said: string[] = [];
    page.on("console", (message) => said.push(`${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => said.push(error.message));
    await page.goto(address!);
    const callbacks = `http://127.0.0.1:${port}/**`;
    return { child, page, said, callbacks };
  }

  /** Looks at the page in each size and scheme: all of it fits beside each other. */
  async function look(page: Page, name: string): Promise<void> {
    for (const [size, viewport] of Object.entries(SIZES)) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        const isTooWide = await page.evaluate(
          "document.documentElement.scrollWidth > document.documentElement.clientWidth",
        );
        assert.equal(isTooWide, false, `${name}, ${size}`);
        const folder = process.env["SCREENSHOTS"];
        if (folder === undefined) continue;
        await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) });
      }
    }
  }

  test("Approve stores the customer, and the address keeps no code", async () => {
    const { child, page, said, callbacks } = await open();
    try {
      await look(page, "ask");
      await page.getByRole("button", { name: "Approve" }).click();
      await page.waitForURL(callbacks);
      await child.waitFor(/^Logged on to context Cust\d+ as /);
      const text = await page.locator("body").innerText();
      const [, customer = ""] = child.output().match(/Logged on to context (Cust\d+) as /) ?? [];
      assert.ok(text.includes(customer), text);
      assert.doesNotMatch(page.url(), /code=|state=/);
      await look(page, "approved");
      assert.deepEqual(said.filter((line) => !line.endsWith("/favicon.ico")), []);
      assert.equal(await child.ended, 0);
      assert.doesNotMatch(await page.content(), /code=|Demo App-/);
    } finally {
      child.kill();
      await page.close();
    }
  });

  test("Decline stores nothing, and page and terminal say so", async () => {
    const { child, page, callbacks } = await open();
    try {
      await page.getByRole("button", { name: "Decline" }).click();
      await page.waitForURL(callbacks);
      await look(page, "declined");
      assert.match(await page.locator("body").innerText(), /declined|nothing was stored/i);
      assert.equal(await child.ended, 1);
      assert.match(child.output(), /nothing was stored/i);
      assert.doesNotMatch(child.output(), /Logged on/);
    } finally {
      child.kill();
      await page.close();
    }
  });

  test("the demo's own page has a tenant change", async () => {
    const tenants = makeTenants(1);
    const standIn = await startTestStandIn(tenants, { hasPage: true });
    const page = await browser.newPage();
    await page.goto(`${standIn.loginUrl}/demo`);
    await look(page, "demo");
    await page.getByLabel("Change").selectOption("2");
    await page.getByRole("button", { name: "Change, and tell" }).click();
    await page.getByText("Back").waitFor();
    assert.match(
      await page.locator("body").innerText(),
      /Cust10001: Suspend\. Its state is Suspended/i,
    );
    await page.close();
    await standIn.close();
  });
});
