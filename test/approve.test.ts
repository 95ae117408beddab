// The command `customers approve` as a process, with an administrator's browser and the stand-in.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SAMPLE_REGISTRATION } from "../fixtures/registration.ts";
import type { StandIn, Tenant } from "../fixtures/standIn.ts";
import { approveIn, type Browser, createBrowser, type Shown } from "./support/administrator.ts";
import {
  type ChildConsole,
  emptyFolder,
  runtime,
  startCommand,
  startConsole,
} from "./support/childConsole.ts";
import { freePort } from "./support/freePort.ts";
import { CLIENT_SECRET, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** util-linux's, which gives a command a terminal. */
const SCRIPT = "/usr/bin/script";

let standIn: StandIn;
let database: TestDatabase;
let tenants: Tenant[];
let browser: Browser;

before(async () => {
  standIn = await startTestStandIn([]);
  database = await testDatabases[0]!.start();
});

after(async () => {
  await standIn.close();
  await database.close();
});

beforeEach(async () => {
  Object.assign(standIn.registration, SAMPLE_REGISTRATION);
  tenants = makeTenants(3);
  standIn.tenants.clear();
  for (const tenant of tenants) standIn.tenants.set(tenant.contextIdentifier.toLowerCase(), tenant);
  await database.sql`delete from customers`;
  browser = createBrowser();
});

interface Approving {
  child: ChildConsole;
  redirectUrl: string;
  variables: Record<string, string>;
  /** What it says is to be opened. */
  address: string;
}

/** On Deno as the task does it. */
function command(): string[] {
  const parts = runtime();
  return "Deno" in globalThis
    ? [...parts.slice(0, -1), "customers.ts"]
    : [...parts.slice(0, -1), join(ROOT, "src/customers.ts")];
}

function ownSettings(port: number): Record<string, string> {
  return {
    ...settingsFor(standIn, database.databaseUrl),
    SUPEROFFICE_CLIENT_ID: SAMPLE_REGISTRATION.clientId,
    SUPEROFFICE_REDIRECT_URL: `http://127.0.0.1:${port}/openid/callback`,
  };
}

async function startApprove(
  args: string[] = [],
  more: Record<string, string> = {},
): Promise<Approving> {
  const variables = { ...ownSettings(await freePort()), ...more };
  const child = startCommand(
    [...command(), "approve", ...args],
    variables,
    emptyFolder(),
    true,
  );
  await child.waitFor(/^The answer is waited for at|\. The answer is waited/);
  const address = child.output().split("\n").find((line) => /^https?:\/\/\S+$/.test(line)) ?? "";
  return { child, address, variables, redirectUrl: variables["SUPEROFFICE_REDIRECT_URL"]! };
}

function nextRequestFor(place: string): Promise<void> {
  return new Promise((resolve) => {
    const seen = (at: string) => {
      if (at !== place) return;
      standIn.events.off("request", seen);
      resolve();
    };
    standIn.events.on("request", seen);
  });
}

async function rows(): Promise<Record<string, unknown>[]> {
  const { sql } = database;
  const found = await sql`
    select context_identifier, system_user_token, is_active from customers order by id`;
  return found.map((row) => ({ ...row }));
}

function lastLine({ child }: Approving): string {
  return child.output().trimEnd().split("\n").at(-1)!;
}

/** What belongs to nobody's eyes, in what was printed and shown. */
function assertNoSecret({ child }: Approving, ...shown: Shown[]): void {
  const texts = [
    child.output(),
    ...shown.flatMap(({ html, addresses }) => [html, addresses.at(-1)!]),
  ];
  for (const text of texts) {
    assert.doesNotMatch(text, /[?&]code=|eyJ|8A:|code_verifier|\n\s+at /);
    for (const secret of [CLIENT_SECRET, ...tenants.map((tenant) => tenant.systemUserToken)]) {
      assert.ok(!text.includes(secret), secret);
    }
  }
}

const A_ROW = {
  context_identifier: "Cust10001",
  system_user_token: "Test App-0000000000",
  is_active: true,
};

describe("an administrator approves", () => {
  test("and the customer is stored and logged on to", async () => {
    const approving = await startApprove();
    const { child, address } = approving;
    const asked = new URL(address).searchParams;
    assert.equal(asked.get("code_challenge_method"), "S256");
    assert.match(asked.get("state")!, /^[\w-]{40,}$/);
    const shown = await approveIn(browser, address, "Cust10001");
    assert.match(
      shown.text,
      /Cust10001 is connected .*Company of Cust10001.* log-on worked, as Associate 10001/,
    );
    assert.equal(await child.ended, 0, child.output());
    assert.match(child.output(), /^Added Cust10001 \(Company of Cust10001\); the console logs on/m);
    assert.equal(lastLine(approving), "Logged on to context Cust10001 as Associate 10001");
    assert.deepEqual(await rows(), [A_ROW]);
    assertNoSecret(approving, shown);
    for (
      const [name, value] of [
        ["cache-control", /^no-store$/],
        ["referrer-policy", /^no-referrer$/],
        ["x-content-type-options", /^nosniff$/],
        ["content-security-policy", /^default-src 'none'; style-src 'sha256-[^;]+'; /],
      ] as const
    ) assert.match(shown.headers.get(name) ?? "", value);
  });

  test("and the answer is posted by SuperOffice's page", async () => {
    standIn.registration.responseMode = "form_post";
    const approving = await startApprove();
    const between = await approveIn(browser, approving.address, "Cust10001");
    const shown = await browser.send(between);
    assert.match(shown.text, /Cust10001 is connected/);
    assert.equal(await approving.child.ended, 0, approving.child.output());
    assert.deepEqual(await rows(), [A_ROW]);
  });

  test("and the id_token is for its own serial", async () => {
    standIn.registration.audience = "serial";
    const { child, address } = await startApprove();
    await approveIn(browser, address, "Cust10001");
    assert.equal(await child.ended, 0, child.output());
  });

  test("at localhost, by either of its addresses", async () => {
    const port = await freePort();
    const redirectUrl = `http://localhost:${port}/openid/callback`;
    const { child, address } = await startApprove([], { SUPEROFFICE_REDIRECT_URL: redirectUrl });
    for (const host of ["127.0.0.1", "::1"]) {
      const socket = connect(port, host);
      await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
      socket.destroy();
    }
    await approveIn(browser, address, "Cust10001");
    assert.equal(await child.ended, 0, child.output());
  });

  test("for the one customer that was named, and for no other", async () => {
    const { child, address } = await startApprove(["cust10002"]);
    assert.equal(new URL(address).searchParams.get("acr_values"), "tenant:Cust10002");
    const end = standIn.misbehave({ at: "tokens", how: { forge: "otherTenant" } });
    const shown = await approveIn(browser, address, "Cust10002");
    end();
    assert.match(shown.text, /Nothing was stored/);
    assert.equal(await child.ended, 1);
    assert.match(child.output(), /Nothing was stored: .*the tenant Cust99999.*\[WRONG_TENANT\]/);
    assert.deepEqual(await rows(), []);
  });

  test("and the tenant takes no calls yet: it is stored, and the reason said", async () => {
    tenants[0]!.state = "Suspended";
    const approving = await startApprove();
    const shown = await approveIn(browser, approving.address, "Cust10001");
    assert.match(shown.text, /Cust10001 is stored, and not logged on to yet .*Suspended/);
    assert.equal(await approving.child.ended, 1);
    assert.match(lastLine(approving), /^Cust10001 is stored, .*Suspended.*\[TENANT_NOT_RUNNING\]$/);
    assert.deepEqual(await rows(), [A_ROW]);
  });
});

describe("a customer that exists", () => {
  beforeEach(async () => {
    await database.sql`
      insert into customers (context_identifier, system_user_token, is_active)
      values ('cust10001', 'an old token', false)`;
  });

  test("is left as it is", async () => {
    const approving = await startApprove();
    const shown = await approveIn(browser, approving.address, "Cust10001");
    assert.match(shown.text, /Nothing was stored Cust10001 exists already/);
    assert.equal(await approving.child.ended, 1);
    assert.match(lastLine(approving), /exists already\. .*with --replace added\./);
    assert.equal((await rows())[0]!["system_user_token"], "an old token");
  });

  test("is told before anybody is asked, where it was named", async () => {
    const variables = ownSettings(await freePort());
    const child = startCommand([...command(), "approve", "Cust10001"], variables);
    assert.equal(await child.ended, 1);
    assert.match(child.output(), /^cust10001 exists already/);
    assert.doesNotMatch(child.output(), /http/);
  });

  test("gets the new token with --replace, and is active again", async () => {
    const approving = await startApprove(["--replace"]);
    await approveIn(browser, approving.address, "Cust10001");
    assert.equal(await approving.child.ended, 0, approving.child.output());
    assert.match(approving.child.output(), /^Stored the new token of Cust10001/m);
    assert.deepEqual(await rows(), [{ ...A_ROW, context_identifier: "cust10001" }]);
  });
});

describe("an approval is refused, and nothing stored, where", () => {
  test("the administrator declines", async () => {
    const approving = await startApprove();
    const shown = await approveIn(browser, approving.address, "Cust10001", "decline");
    assert.match(shown.text, /Nothing was stored .*«access_denied».*administrator/);
    assert.equal(await approving.child.ended, 1);
    assert.match(
      lastLine(approving),
      /^Nothing was stored: .*access_denied.*\[APPROVAL_REFUSED\]$/,
    );
    assert.deepEqual(await rows(), []);
  });

  test("the application has no system user", async () => {
    const approving = await startApprove();
    const end = standIn.misbehave({ at: "tokens", how: { forge: "emptySystemToken" } });
    await approveIn(browser, approving.address, "Cust10001");
    end();
    assert.equal(await approving.child.ended, 1);
    assert.match(lastLine(approving), /server to server.*\[SYSTEM_TOKEN_MISSING\]$/);
    assert.deepEqual(await rows(), []);
  });

  test("the client secret is another's, and whatever answers shows none of it", async () => {
    for (const how of [undefined, "echo"] as const) {
      const approving = await startApprove([], { SUPEROFFICE_CLIENT_SECRET: "hunter2-secret" });
      const end = how && standIn.misbehave({ at: "tokens", how });
      const shown = await approveIn(browser, approving.address, "Cust10001");
      end?.();
      assert.equal(await approving.child.ended, 1);
      const code = how === undefined ? /\[CLIENT_REFUSED\]$/ : /\[UNEXPECTED_STATUS\]$/;
      assert.match(lastLine(approving), code);
      assertNoSecret(approving, shown);
      assert.doesNotMatch(approving.child.output() + shown.html, /hunter2/);
    }
    assert.deepEqual(await rows(), []);
  });

  test("none could be stored, which is told before anybody is asked", async () => {
    const { sql } = database;
    await sql.unsafe(`
      alter table customers rename to subscriptions;
      create view customers as select distinct * from subscriptions`);
    const child = startCommand([...command(), "approve"], ownSettings(await freePort()));
    assert.equal(await child.ended, 1);
    await sql.unsafe("drop view customers; alter table subscriptions rename to customers");
    assert.match(
      child.output(),
      /^The database .* cannot insert into view .*\[DATABASE_TROUBLE\]\n$/s,
    );
    assert.doesNotMatch(child.output(), /Open this address/);
  });

  test("Ctrl-C comes while the login host says nothing yet", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as AddressInfo;
    const variables = { SUPEROFFICE_LOGIN_URL: `http://127.0.0.1:${port}` };
    const child = startCommand([...command(), "approve"], {
      ...ownSettings(await freePort()),
      ...variables,
    });
    await once(silent, "request");
    child.signal("SIGINT");
    assert.equal(await child.ended, 1);
    assert.equal(child.output(), "Stopped: nothing was stored.\n");
    silent.closeAllConnections();
    silent.close();
  });

  test("Ctrl-C comes while an answer is dealt with: that is waited for, and a second one ends it at once", async () => {
    for (const isTwice of [false, true]) {
      const { child, address } = await startApprove();
      let goOn = () => {};
      const until = new Promise<void>((resolve) => goOn = resolve);
      const end = standIn.misbehave({ at: "tokens", how: { until } });
      const redeeming = nextRequestFor("tokens");
      const shown = approveIn(browser, address, "Cust10001").catch(() => undefined);
      await redeeming;
      child.signal("SIGINT");
      await child.waitFor(/Waiting for what was begun; Ctrl-C again ends it at once\./);
      if (isTwice) {
        child.signal("SIGTERM");
        assert.equal(await child.ended, 143);
        goOn();
      } else {
        goOn();
        assert.equal(await child.ended, 0, child.output());
      }
      end();
      await shown;
      assert.equal((await rows()).length, isTwice ? 0 : 1);
      await database.sql`delete from customers`;
    }
  });

  test("Ctrl-C ends the waiting", async () => {
    const { child } = await startApprove();
    child.signal("SIGINT");
    assert.equal(await child.ended, 1);
    assert.match(child.output(), /Stopped: nothing was stored\.\n$/);
  });

  test("something else listens there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const child = startCommand([...command(), "approve"], ownSettings(port));
    assert.equal(await child.ended, 1);
    server.close();
    assert.match(
      child.output(),
      new RegExp(`^Nothing can listen at 127\\.0\\.0\\.1:${port}: something else listens there`),
    );
  });

  test("the settings are wrong, all of which are named", async () => {
    const child = startCommand([...command(), "approve"], {
      SUPEROFFICE_REDIRECT_URL: "http://example.com/callback",
      LISTEN: "3300",
      SUPEROFFICE_CLIENT_SECRET: "one two",
    });
    assert.equal(await child.ended, 2);
    for (
      const name of [
        "SUPEROFFICE_CLIENT_ID: missing",
        "SUPEROFFICE_REDIRECT_URL: expected",
        "LISTEN: expected",
        "DATABASE_URL: missing",
        "SUPEROFFICE_CLIENT_SECRET: expected",
        "SUPEROFFICE_PRIVATE_KEY or",
      ]
    ) assert.match(child.output(), new RegExp(`^ {2}${name}`, "m"));
    assert.doesNotMatch(child.output(), /one two/);
  });
});

test("what does not belong to it is refused, said, and keeps nobody from approving", async () => {
  const approving = await startApprove();
  const { child, redirectUrl, address } = approving;
  const state = new URL(address).searchParams.get("state")!;
  const foreign = await browser.open(`${redirectUrl}?code=secret-code&state=another`);
  assert.match(foreign.text, /Nothing was stored .*no request that is open here/);
  const missing = await browser.post(redirectUrl, { code: "secret-code" }, "https://evil.example");
  assert.match(missing.text, /does not say which request/);
  for (const shown of [foreign, missing]) assertNoSecret(approving, shown);
  assert.equal((await fetch(redirectUrl, { method: "PUT" })).status, 405);
  assert.equal((await fetch(`${redirectUrl}/more`)).status, 404);
  assert.equal((await fetch(redirectUrl.replace("127.0.0.1", "localhost"))).status, 421);
  const body = "x=".padEnd(9000, "x");
  assert.equal((await fetch(`${redirectUrl}?${body}`)).status, 413);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const big = await fetch(redirectUrl, { method: "POST", body, headers }).catch(() => undefined);
  assert.ok(big === undefined || big.status === 413);

  const shown = await approveIn(browser, address, "Cust10001");
  assert.match(shown.text, /is connected/);
  assert.equal(await child.ended, 0, child.output());
  assert.match(
    child.output(),
    /no request for approval that is not open|not open here.*\[STATE_REFUSED\]/,
  );
  assert.ok(!child.output().includes("secret-code"));
  assert.ok(child.output().includes(state));
});

describe("without a browser on this machine", () => {
  /** The address that a browser elsewhere ends at. */
  async function endOf(address: string): Promise<string> {
    const answer = await fetch(address, {
      method: "POST",
      body: new URLSearchParams({ tenant: "Cust10001", decision: "approve" }),
      redirect: "manual",
    });
    return answer.headers.get("location")!;
  }

  for (
    const [what, piece] of [
      ["the address that the browser ended at", (end: string) => end],
      ["its query alone", (end: string) => end.split("?")[1]!],
    ] as const
  ) {
    test(`${what} is pasted`, async () => {
      const approving = await startApprove();
      const { child, address } = approving;
      child.type("something else\n?code=secret-code&state=another\n");
      await child.waitFor(/paste the whole address/);
      await child.waitFor(/STATE_REFUSED/);
      child.type(`${piece(await endOf(address))}\n`);
      assert.equal(await child.ended, 0, child.output());
      assert.equal(lastLine(approving), "Logged on to context Cust10001 as Associate 10001");
      assertNoSecret(approving);
      assert.ok(!child.output().includes("secret-code"));
    });
  }

  test("what is piped in without an end is read no further, and the waiting goes on", async () => {
    const approving = await startApprove();
    approving.child.type("x".repeat(200_000));
    await approveIn(browser, approving.address, "Cust10001");
    assert.equal(await approving.child.ended, 0, approving.child.output());
    assert.deepEqual(await rows(), [A_ROW]);
  });

  test(
    "it is not shown on a terminal, where Ctrl-C ends it, too",
    { skip: !existsSync(SCRIPT) },
    async () => {
      const variables = ownSettings(await freePort());
      const line = [...command(), "approve"].map((part) => `'${part}'`).join(" ");
      const start = () =>
        startCommand([SCRIPT, "-qefc", line, "/dev/null"], variables, emptyFolder(), true);
      const child = start();
      await child.waitFor(/press Enter/);
      const address = child.output().split(/\r?\n/).find((line) => /^https?:\S+$/.test(line))!;
      child.type(`${await endOf(address)}\r`);
      assert.equal(await child.ended, 0, child.output());
      assert.match(child.output(), /Logged on to context Cust10001/);
      assert.doesNotMatch(child.output(), /[?&]code=/);

      const other = start();
      await other.waitFor(/press Enter/);
      other.type("\x03");
      assert.equal(await other.ended, 1, other.output());
      assert.match(other.output(), /Stopped: nothing was stored/);
    },
  );
});

describe("kept open", () => {
  test("one address serves several administrators, each in a browser of its own", async () => {
    const approving = await startApprove(["--keep-open"]);
    const { child, address, redirectUrl } = approving;
    assert.ok(address.startsWith(redirectUrl.replace(/callback$/, "approval/")), address);
    // Both are under way at once.
    const [one, two] = [createBrowser(), createBrowser()];
    const [ofOne, ofTwo] = await Promise.all([one.open(address), two.open(address)]);
    const approve = (browser: Browser, { addresses }: Shown, tenant: string) =>
      browser.post(addresses.at(-1)!, { tenant, decision: "approve" });
    const shown = [await approve(two, ofTwo, "Cust10002"), await approve(one, ofOne, "Cust10001")];
    assert.match(shown[0]!.text, /Cust10002 is connected/);
    assert.match(shown[1]!.text, /Cust10001 is connected/);
    // Loaded once more, it says the same; in another browser it does not.
    assert.match((await one.open(shown[1]!.addresses.at(-1)!)).text, /Cust10001 is connected/);
    assert.match((await two.open(shown[1]!.addresses.at(-1)!)).text, /another browser/);

    // Two tabs of one browser.
    const [tab, other] = [await one.open(address), await one.open(address)];
    await approve(one, other, "Cust10003");
    const declined = await one.post(tab.addresses.at(-1)!, { decision: "decline" });
    assert.match(declined.text, /access_denied/);

    child.signal("SIGINT");
    assert.equal(await child.ended, 0, child.output());
    assert.match(child.output(), /Customers that were stored: 3\.\n$/);
    assertNoSecret(approving, ...shown, declined);
    const names = (await rows()).map((row) => row["context_identifier"]);
    assert.deepEqual(names.sort(), ["Cust10001", "Cust10002", "Cust10003"]);
  });

  test("at its end what was begun is finished, and nothing more begins", async () => {
    const { child, address } = await startApprove(["--keep-open"]);
    let goOn = () => {};
    const until = new Promise<void>((resolve) => goOn = resolve);
    const end = standIn.misbehave({ at: "tokens", how: { until } });
    const redeeming = nextRequestFor("tokens");
    const shown = approveIn(browser, address, "Cust10001");
    await redeeming;
    child.signal("SIGINT");
    await child.waitFor(/Waiting for what was begun/);
    assert.match((await createBrowser().open(address)).text, /No more approvals are taken/);
    end();
    goOn();
    assert.match((await shown).text, /Cust10001 is connected/);
    assert.equal(await child.ended, 0);
    assert.match(child.output(), /Customers that were stored: 1\.\n$/);
  });

  test("an answer that another browser brings is refused, and so is who does not know the address", async () => {
    const approving = await startApprove(["--keep-open"]);
    const { child, address, redirectUrl } = approving;
    const asked = await browser.open(address);
    const victim = await createBrowser()
      .post(asked.addresses.at(-1)!, { tenant: "Cust10001", decision: "approve" });
    assert.match(victim.text, /another browser/);
    assert.equal((await fetch(new URL("approval/guess", redirectUrl))).status, 404);
    child.signal("SIGTERM");
    await child.ended;
    assert.match(child.output(), /came from another browser/);
    assert.deepEqual(await rows(), []);
  });

  test("behind a public address, cookies are for https and that host alone", async () => {
    const port = await freePort();
    const redirectUrl = "https://vendor.example/superoffice/callback";
    standIn.registration.redirectUrls = [redirectUrl];
    const { child, address } = await startApprove(["--keep-open"], {
      SUPEROFFICE_REDIRECT_URL: redirectUrl,
      LISTEN: `127.0.0.1:${port}`,
    });
    assert.match(address, /^https:\/\/vendor\.example\/superoffice\/approval\/[\w-]{20,}$/);
    // As what passes requests on asks: by its own name for the listener.
    const passOn = (to: string, cookie = "") => {
      const { pathname, search } = new URL(to, redirectUrl);
      const headers = { cookie };
      return fetch(`http://127.0.0.1:${port}${pathname}${search}`, { headers, redirect: "manual" });
    };
    const start = await passOn(address);
    assert.equal(start.status, 303);
    const asked = start.headers.get("location")!;
    assert.equal(new URL(asked).searchParams.get("redirect_uri"), redirectUrl);
    const cookie = start.headers.get("set-cookie")!;
    assert.match(cookie, /^__Host-approval=[\w-]{32}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);

    const body = new URLSearchParams({ tenant: "Cust10001", decision: "approve" });
    const { headers } = await fetch(asked, { method: "POST", body, redirect: "manual" });
    const end = standIn.misbehave({ at: "tokens", how: { refuse: "invalid_client: no" } });
    const answered = await passOn(headers.get("location")!);
    const shown = await passOn(answered.headers.get("location")!, cookie.split(";")[0]);
    end();
    // A customer's administrator is not told what the vendor has to mend.
    const html = await shown.text();
    assert.match(html, /reason that whoever gave you the address sees/);
    assert.doesNotMatch(html, /SUPEROFFICE_|CLIENT_REFUSED/);
    await child.waitFor(/CLIENT_REFUSED/);
    child.signal("SIGINT");
    assert.equal(await child.ended, 0);
  });
});

describe("the browser", { skip: process.platform !== "linux" }, () => {
  /** Where what opens a browser writes what it was told, in place of opening one. */
  async function recorded(
    more: Record<string, string>,
    ...args: string[]
  ): Promise<Approving & { told: string }> {
    const folder = emptyFolder();
    const told = join(folder, "told");
    const script = `#!/bin/sh\nprintf %s "$1" > ${told}.part && mv ${told}.part ${told}\n`;
    await writeFile(join(folder, "xdg-open"), script, { mode: 0o755 });
    const PATH = `${folder}${delimiter}${process.env["PATH"]}`;
    return { ...await startApprove(args, { PATH, ...more }), told };
  }

  test("is opened at the address where there is a screen", async () => {
    const { child, address, told } = await recorded({ DISPLAY: ":0" });
    assert.match(child.output(), /It opens in your browser\./);
    await approveIn(browser, address, "Cust10001");
    assert.equal(await child.ended, 0, child.output());
    while (!existsSync(told)) await delay(20);
    assert.equal(await readFile(told, "utf8"), address);
  });

  for (
    const [what, variables, args] of [
      ["over ssh", { DISPLAY: ":0", SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }, []],
      ["with --no-open", { DISPLAY: ":0" }, ["--no-open"]],
      ["without a screen", {}, []],
    ] as const
  ) {
    test(`is left alone ${what}`, async () => {
      const { child, address, told } = await recorded(variables, ...args);
      assert.doesNotMatch(child.output(), /opens in your browser/);
      await approveIn(browser, address, "Cust10001");
      assert.equal(await child.ended, 0, child.output());
      assert.equal(existsSync(told), false);
    });
  }
});

test("in the demo whoever approves is logged on to by the demo that runs", async () => {
  const variables = { DEMO_PORT: String(await freePort()), POLL_SECONDS: "0.5" };
  const demo = startConsole(["--demo"], variables);
  await demo.waitFor(/Poll done/);
  assert.doesNotMatch(demo.output(), /Logged on to context Cust10004/);
  const approving = await startApprove(["--demo", "--replace"], variables);
  assert.match(approving.child.output(), /joins the demo that runs/);
  await approveIn(browser, approving.address, "Cust10004");
  assert.equal(await approving.child.ended, 0, approving.child.output());
  assert.equal(lastLine(approving), "Logged on to context Cust10004 as Dag");
  await demo.waitFor(/Logged on to context Cust10004 as Dag/);

  // What it tells of itself leads to it without --demo, too.
  const settings = await fetch(`http://127.0.0.1:${variables.DEMO_PORT}/env`);
  const folder = emptyFolder();
  await writeFile(join(folder, ".env"), await settings.text());
  const [list, doctor] = [["customers.ts", "list", "Cust10004"], ["doctor.ts"]].map((
    [name, ...args],
  ) => startConsole(args, {}, folder, join(ROOT, "src", name!)));
  assert.equal(await list!.ended, 0, list!.output());
  assert.match(list!.output(), /Cust10004 +active/);
  assert.equal(await doctor!.ended, 0, doctor!.output());
  demo.signal("SIGINT");
  await demo.ended;
});

test("in a demo of its own it is all the same", async () => {
  const variables = { DEMO_PORT: String(await freePort()) };
  const approving = await startApprove(["--demo", "--replace"], variables);
  assert.match(approving.child.output(), /^This is a demo/);
  await approveIn(browser, approving.address, "Cust10001");
  assert.equal(await approving.child.ended, 0, approving.child.output());
  assert.equal(lastLine(approving), "Logged on to context Cust10001 as Anna");
});
