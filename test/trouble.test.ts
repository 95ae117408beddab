// Trouble of every kind, of some tenants among healthy ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORGERIES } from "../fixtures/jwts.ts";
import type { Misbehaviour, Place } from "../fixtures/standIn.ts";
import { startConsole } from "./support/childConsole.ts";
import { assertNobodyMissed, count } from "./support/pollLines.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const ANYWHERE: [Misbehaviour, RegExp][] = [
  [{ status: 302, headers: { location: "https://elsewhere.example/" } }, /status 302.*Redirects/],
  [{ status: 403 }, /status 403.*rights/],
  [{ status: 404 }, /status 404.*context_identifier/],
  [{ status: 429, headers: { "retry-after": "3600" } }, /status 429/],
  [{ status: 500 }, /status 500/],
  [
    { status: 503, headers: { "retry-after": "Wed, 21 Oct 2099 07:28:00 GMT" } },
    /status 503.*status\.superoffice\.com/,
  ],
  ["hang", /did not answer .* within/],
  ["reset", /could not be reached/],
  ["cutBody", /could not be reached/],
  ["hugeBody", /more than \d+ bytes/],
  ["notJson", /no JSON.*Scheduled maintenance/],
  ["wrongShape", /JSON of another form/],
];

const TROUBLES: Partial<Record<Place, [Misbehaviour, RegExp][]>> = {
  state: [...ANYWHERE, ["wrongTenant", /speaks of the tenant Cust99999/]],
  exchange: [
    ...ANYWHERE,
    [{ refuse: "Expired: too late" }, /Expired: too late.*approve/],
    [{ refuse: "A reason that nobody documented" }, /A reason that nobody documented/],
    ...FORGERIES.map((forge): [Misbehaviour, RegExp] => [{ forge }, /JWT was refused: /]),
  ],
  call: [
    ...ANYWHERE,
    [{ status: 401 }, /status 401.*SUPEROFFICE_CLIENT_SECRET/],
    [{ status: 421 }, /status 421.*moved/],
    ["wrongTenant", /speaks of the tenant Cust99999/],
  ],
};

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`trouble, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    for (const [place, kinds] of Object.entries(TROUBLES) as [Place, [Misbehaviour, RegExp][]][]) {
      await t.test(`each kind of trouble at ${place} is its customer's alone, told, and over within two polls`, async () => {
        const tenants = makeTenants(kinds.length + 5);
        const troubled = tenants.slice(0, kinds.length).map(({ contextIdentifier }, index) => ({
          contextIdentifier,
          how: kinds[index]![0],
          line: kinds[index]![1],
        }));
        const healthy = tenants.slice(kinds.length);
        const standIn = await startTestStandIn(tenants, { stateValidMs: 0 });
        const ends = troubled.map(({ contextIdentifier, how }) =>
          standIn.misbehave({ at: place, how, contextIdentifier })
        );
        await fillTable(sql, tenants);
        const child = startConsole([], {
          ...settingsFor(standIn, databaseUrl),
          POLL_SECONDS: "0.75",
          REQUEST_TIMEOUT_SECONDS: "1",
        });
        for (const { contextIdentifier, line } of troubled) {
          await child.waitFor(new RegExp(`WARNING ${contextIdentifier}: .*${line.source}`), 2);
        }
        assert.doesNotMatch(child.output(), / at .*\.ts:\d|UNEXPECTED|should not happen/);
        ends.forEach((end) => end());
        const before = child.output().length;
        for (const { contextIdentifier } of troubled) {
          await child.waitFor(new RegExp(`Logged on to context ${contextIdentifier} `));
          const since = child.output().slice(before).split(
            `Logged on to context ${contextIdentifier} `,
          )[0]!;
          // The poll under way when the trouble ended, and two more.
          const beats = count(since, new RegExp(`context ${healthy[0]!.contextIdentifier} `));
          assert.ok(beats <= 3, `${contextIdentifier} was back after ${beats} polls only`);
        }
        assertNobodyMissed(child.output(), healthy);
        child.signal("SIGTERM");
        await child.ended;
        await standIn.close();
      });
    }

    await t.test("tenants that hang at whatever place hold up no healthy one", async () => {
      const tenants = makeTenants(5);
      const healthy = tenants.at(-1)!;
      const standIn = await startTestStandIn(tenants, { stateValidMs: 0 });
      (["state", "exchange", "call", "exchange"] as const).forEach((at, index) => {
        const { contextIdentifier } = tenants[index]!;
        standIn.misbehave({ at, how: "hang", contextIdentifier });
      });
      await fillTable(sql, tenants);
      const child = startConsole([], {
        ...settingsFor(standIn, databaseUrl),
        CONCURRENCY: "2",
        POLL_SECONDS: "0.2",
        REQUEST_TIMEOUT_SECONDS: "0.5",
      });
      // From the third time on it is known who is troubled.
      await child.waitFor(/WARNING Cust10002: /, 4);
      const [, , , known = ""] = child.output().split("WARNING Cust10002: ");
      const times = count(known, new RegExp(`context ${healthy.contextIdentifier} `));
      assert.ok(times >= 4, `the healthy one was logged on to ${times} times meanwhile`);
      child.signal("SIGTERM");
      await child.ended;
      await standIn.close();
    });

    await close();
  });
}
