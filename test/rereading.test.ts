import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { emptyFolder, runConsole, startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const NEW_SECRET = "client-secret-that-is-new";

/** A new key of the application. */
function makeKey(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/** A folder with the settings in `.env`, and what replaces values there. */
function makeFolder(variables: Record<string, string>) {
  const folder = emptyFolder();
  const keyFile = join(folder, "key.pem");
  writeFileSync(keyFile, readFileSync(variables["SUPEROFFICE_PRIVATE_KEY_FILE"]!), { mode: 0o600 });
  let all: Record<string, string> = { ...variables, SUPEROFFICE_PRIVATE_KEY_FILE: "key.pem" };
  function set(changed: Record<string, string>): string {
    all = { ...all, ...changed };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(folder, ".env"), lines.join(""), { mode: 0o600 });
    return lines.join("");
  }
  set({});
  return { folder, keyFile, set };
}

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`settings that change under way, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();

    await t.test("key and secret are replaced, in the portal and then here: no restart, all back within two polls", async () => {
      const tenants = makeTenants(5);
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const { folder, keyFile, set } = makeFolder({
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "1",
      });
      const child = startConsole([], {}, folder);
      await child.waitFor(/: 5 logged on/);
      assert.equal(standIn.counts.exchange, 5);

      const { privateKey, publicKey } = makeKey();
      standIn.replaceApplication({ clientSecret: NEW_SECRET, applicationPublicKey: publicKey });
      await child.waitFor(/WARNING .*it is the application or its settings.*5 customers wait/);

      set({ SUPEROFFICE_CLIENT_SECRET: "not one, by its blanks" });
      await child.waitFor(/WARNING .*old ones stay in use.*SUPEROFFICE_CLIENT_SECRET: expected/);

      // A change of the environment is for the next start, and so is what belongs to it. A line of a key is no name.
      const exchanges = standIn.counts.exchange;
      set({
        SUPEROFFICE_CLIENT_SECRET: "another-environments",
        SUPEROFFICE_LOGIN_URL: "https://online.superoffice.com",
        MIIEvQIBADANBgkqhkiG: "=",
      });
      await child.waitFor(
        /WARNING SUPEROFFICE_ENVIRONMENT or .*next start.*not meant for the login/,
      );
      await child.waitFor(/Poll done/, (child.output().match(/Poll done/g) ?? []).length + 2);
      assert.ok(standIn.counts.exchange > exchanges);

      writeFileSync(keyFile, privateKey);
      // Written as PowerShell's > does, it is said once.
      const text = set({
        SUPEROFFICE_LOGIN_URL: standIn.loginUrl,
        SUPEROFFICE_CLIENT_SECRET: NEW_SECRET,
        SUPEROFFICE_ENVIRONMENT: "sod",
        CONCURRENCY: "7",
      });
      writeFileSync(join(folder, ".env"), text, "utf16le");
      await child.waitFor(/WARNING .*old ones stay in use. \.env cannot be read: .*UTF-16/);
      await child.waitFor(/Poll done/, (child.output().match(/Poll done/g) ?? []).length + 2);
      assert.equal(child.output().match(/UTF-16/g)?.length, 1);

      writeFileSync(join(folder, ".env"), text);
      await child.waitFor(/client secret and private key were read again/);
      const before = child.output().length;
      await child.waitFor(/: 5 logged on/, 2);
      const polls = child.output().slice(before).match(/Poll done.*/g) ?? [];
      assert.ok(polls.slice(0, 2).some((line) => line.includes(": 5 logged on")), polls.join("\n"));
      assert.match(
        child.output(),
        /WARNING CONCURRENCY, SUPEROFFICE_ENVIRONMENT: what changed there counts from the next/,
      );
      assert.doesNotMatch(
        child.output(),
        new RegExp(`not one, by|${NEW_SECRET}|MIIE|another-env|UNEXPECTED`),
      );
      const [{ count } = { count: 0 }] =
        await sql`select count(last_error)::int as count from customers`;
      assert.equal(count, 0);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      await standIn.close();
    });

    await t.test("who was refused alone is tried at once, and then left alone again", async () => {
      const tenants = makeTenants(2);
      const standIn = await startTestStandIn(tenants);
      standIn.misbehave({
        at: "exchange",
        how: { refuse: "Revoked: withdrawn" },
        contextIdentifier: "Cust10002",
      });
      await fillTable(sql, tenants);
      const { folder, keyFile } = makeFolder({
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "1",
      });
      const child = startConsole([], {}, folder);
      // It waits for 2 polls, 4, 8: the third time long enough to tell.
      await child.waitFor(/1 failed/, 3);
      await child.waitFor(/1 refused before and waiting/, 4);
      writeFileSync(keyFile, `${readFileSync(keyFile, "utf8")}\n`);
      await child.waitFor(/were read again/);
      const before = child.output().search(/were read again/);
      await child.waitFor(
        /Poll done/,
        child.output().slice(0, before).split("Poll done").length + 1,
      );
      const polls = child.output().slice(before).match(/Poll done.*/g) ?? [];
      assert.match(polls[0]!, /1 failed, 1 call$/);
      assert.match(polls[1]!, /waiting, 1 call$/, child.output());
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      await standIn.close();
    });

    await t.test("a key that never answers holds up neither polls nor the end", async () => {
      const tenants = makeTenants(1);
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const { folder, keyFile } = makeFolder({
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "1",
      });
      const child = startConsole([], {}, folder);
      await child.waitFor(/: 1 logged on/);
      rmSync(keyFile);
      execFileSync("mkfifo", [keyFile]);
      await child.waitFor(
        /: 1 logged on/,
        (child.output().match(/: 1 logged on/g) ?? []).length + 3,
      );
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      const { exitCode, output } = await runConsole(["--once"], {}, folder);
      assert.match(output, /key.pem cannot be read: nothing came from it within 5 s/);
      assert.equal(exitCode, 2);
      await standIn.close();
    });

    await t.test("SIGHUP has them read at once, and tickets are kept", async () => {
      const tenants = makeTenants(2);
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const { folder, keyFile } = makeFolder({
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "600",
      });
      const child = startConsole([], {}, folder);
      await child.waitFor(/: 2 logged on/);
      writeFileSync(keyFile, makeKey().privateKey);
      child.signal("SIGHUP");
      await child.waitFor(/client secret and private key were read again/);
      assert.equal(standIn.counts.exchange, 2);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      await standIn.close();
    });

    await close();
  });
}
