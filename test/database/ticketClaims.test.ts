import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import { writeTickets } from "../../src/database/storedTickets.ts";
import { claimTickets, releaseTickets } from "../../src/database/ticketClaims.ts";
import { testDatabases } from "../support/testDatabase.ts";

const sealed = new Uint8Array([1, 2, 3]);

for (const { name, start } of testDatabases) {
  test(`the right to make a ticket, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const [database, other] = [openDatabase(databaseUrl), openDatabase(databaseUrl)];
    const check = (what: string, body: () => Promise<void>) =>
      t.test(what, async () => {
        await sql`truncate tickets`;
        await body();
      });

    await check("is one's alone, of however many ask at once", async () => {
      const ids = Array.from({ length: 200 }, (_, index) => `${index + 1}`);
      const claims = await Promise.all([
        claimTickets(ids, "one", 60_000, database),
        claimTickets([...ids].reverse(), "another", 60_000, other),
        claimTickets([...ids, "1", "1"], "a third", 60_000, database),
      ]);
      const claimed = claims.flatMap((claim) => [...claim.keys()]);
      assert.deepEqual(claimed.sort(), ids.sort());
      assert.ok(claims.every((claim) => [...claim.values()].every((found) => found === null)));
      assert.equal((await claimTickets(ids, "a fourth", 60_000, other)).size, 0);
      assert.equal((await claimTickets([], "a fourth", 60_000, other)).size, 0);
    });

    await check(
      "may be taken again by who has it, and is not ended by who renews an old ticket",
      async () => {
        await claimTickets(["1"], "one", 60_000, database);
        assert.equal((await claimTickets(["1"], "one", 60_000, database)).size, 1);
        await writeTickets([{ id: "1", sealed }], "another", other);
        await releaseTickets(["1"], "another", other);
        assert.equal((await claimTickets(["1"], "another", 60_000, other)).size, 0);
        const [row] = await sql`select sealed from tickets where customer_id = 1`;
        assert.equal(row!["sealed"], null);
      },
    );

    await check("comes with what is stored just then", async () => {
      await writeTickets([{ id: "1", sealed }], "one", database);
      const claimed = await claimTickets(["1", "2"], "another", 60_000, other);
      assert.deepEqual([...claimed.get("1")!], [...sealed]);
      assert.equal(claimed.get("2"), null);
    });

    await check(
      "is given back by who has made one, by who could not, and by its time",
      async () => {
        const ids = ["1", "2", "3", "4"];
        await claimTickets(ids, "one", 60_000, database);
        await writeTickets([{ id: "1", sealed }], "one", database);
        await releaseTickets(["2"], "one", database);
        await sql`update tickets set claimed_until = now() - interval '1 s' where customer_id = 3`;
        assert.deepEqual([...(await claimTickets(ids, "another", 60_000, other)).keys()].sort(), [
          "1",
          "2",
          "3",
        ]);
      },
    );

    await check("holds no lock: what is stored meanwhile waits for nobody", async () => {
      await claimTickets(["1"], "one", 60_000, database);
      await sql.begin(async (transaction) => {
        await transaction`set local lock_timeout = 100`;
        await transaction`update tickets set written_at = now() where customer_id = 1`;
      });
    });

    await Promise.all([database.end(), other.end()]);
    await close();
  });
}
