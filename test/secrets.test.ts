import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Misbehaviour, Place } from "../fixtures/standIn.ts";
import { startConsole } from "./support/childConsole.ts";
import { CLIENT_SECRET, fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

/** Trouble whose error messages could repeat what was sent or received. */
const TROUBLES: [Place, Misbehaviour][] = [
  ["state", "echo"],
  ["exchange", "echo"],
  ["exchange", { refuse: `InvalidSignature: Secret Appßé-0000000002 with ${CLIENT_SECRET}` }],
  ["exchange", { refuse: "no: 7T:bm90IGEgcmVhbCB0aWNrZXQ= eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln" }],
  ["exchange", {
    refuse:
      "no: https://x/?ticket=SOTicket%207T%3AbmV2ZXI%3D&amp;t=Secret+App%C3%9F%C3%A9-0000000004",
  }],
  ["exchange", {
    refuse: `no: ${Buffer.from(CLIENT_SECRET).toString("base64")} &#99;lient-secret-c0ffee`,
  }],
  ["exchange", { refuse: "no: \x1b]0;title\x07\x9b2J\u202e\u2028x" }],
  ["exchange", { forge: "unknownKey" }],
  ["exchange", { forge: "otherTenant" }],
  ["exchange", { forge: "garbage" }],
  ["exchange", "wrongShape"],
  ["exchange", "cutBody"],
  ["call", "echo"],
  ["call", { status: 401 }],
  ["call", { status: 500, body: `${CLIENT_SECRET} Secret Appßé-0000000014` }],
  ["call", "hang"],
];

for (const format of ["text", "json"]) {
  test(`no secret is printed or stored at the most talkative level, as ${format}`, async () => {
    // One will do, the server where there is one.
    const database = await testDatabases.at(-1)!.start();
    const tenants = makeTenants(TROUBLES.length + 1).map((tenant, index) => ({
      ...tenant,
      systemUserToken: `Secret Appßé-${String(index).padStart(10, "0")}`,
    }));
    const standIn = await startTestStandIn(tenants);
    TROUBLES.forEach(([at, how], index) =>
      standIn.misbehave({ at, how, contextIdentifier: tenants[index]!.contextIdentifier })
    );
    await fillTable(database.sql, tenants);
    // A trigger that quotes the whole row, some seconds after the customer was in hand.
    await database.sql.unsafe(`
      create function quote() returns trigger language plpgsql as $$ begin
        if new.context_identifier = '${
      tenants.at(-1)!.contextIdentifier
    }' then raise exception 'row %', new; end if;
        return new;
      end $$;
      create trigger quote before update on customers for each row execute function quote();`);
    const folder = await mkdtemp(join(tmpdir(), "secrets-test-"));
    const address = new URL(database.databaseUrl);
    address.password = "hunter2-password";
    const child = startConsole([], {
      ...settingsFor(standIn, address.href),
      LOG_LEVEL: "debug",
      LOG_FORMAT: format,
      LOG_FILE: join(folder, "console.log"),
      POLL_SECONDS: "1",
      REQUEST_TIMEOUT_SECONDS: "2",
    });
    for (const { contextIdentifier } of tenants.slice(0, -1)) {
      await child.waitFor(new RegExp(`warning.*${contextIdentifier}`, "i"));
    }
    await child.waitFor(/Logged on to context/);
    await child.waitFor(/The result of .* could not be written: .*row/);
    child.signal("SIGTERM");
    assert.equal(await child.ended, 0);

    const files = await Promise.all(
      (await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")),
    );
    const errors = await database
      .sql`select last_error from customers where last_error is not null`;
    await standIn.close();
    await database.close();
    assert.ok(errors.length >= TROUBLES.length);
    const all = [child.output(), ...files, ...errors.map(({ last_error }) => last_error)].join(
      "\n",
    );
    const planted = {
      "the client secret": CLIENT_SECRET,
      "a system user token": "Appßé-00000",
      "a ticket": /7T:|7T%3A|bmV2ZXI/,
      "a client secret in another form": /Y2xpZW50LXNlY3Jld|&#99;/,
      "a control character": /[^\P{Cc}\n]|[\u202e\u2028]/u,
      "a JWT": "eyJ",
      "the database password": "hunter2",
      "a signature": /[A-Za-z0-9+/]{60}/,
    };
    for (const [what, secret] of Object.entries(planted)) {
      const found = typeof secret === "string" ? all.indexOf(secret) : all.search(secret);
      assert.equal(found, -1, `${what} was found at ${all.slice(found - 60, found)}`);
    }
  });
}
