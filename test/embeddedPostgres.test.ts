// The embedded Postgres has one session; what its clients do must not mix.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTo } from "node:net";
import { test } from "node:test";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../fixtures/embeddedPostgres.ts";
import { endWithFile } from "./support/leftRunning.ts";

test("the embedded Postgres", async (t) => {
  const database = await startEmbeddedPostgres();
  const close = endWithFile(database.close);
  const connect = () => {
    const sql = postgres(database.databaseUrl, { onnotice: () => {} });
    endWithFile(() => sql.end({ timeout: 0 }));
    return sql;
  };
  const [one, other] = [connect(), connect()];
  await one`create table things (name text)`;

  await t.test("a client waits until another's transaction is over", async () => {
    const done: string[] = [];
    let waiting: Promise<unknown> | undefined;
    await one.begin(async (transaction) => {
      await transaction`insert into things values ('first')`;
      waiting = other`insert into things values ('second')`.then(() => done.push("other"));
      await transaction`insert into things values ('third')`;
      done.push("one");
    });
    await waiting;
    assert.deepEqual(done, ["one", "other"]);
    const names = (await other`select name from things`).map(({ name }) => name);
    assert.deepEqual(names, ["first", "third", "second"]);
  });

  await t.test("a client that asks for Kerberos first is told no, as for TLS", async () => {
    const { port, hostname } = new URL(database.databaseUrl);
    const socket = connectTo(Number(port), hostname);
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]));
    const [answer] = await once(socket, "data");
    socket.destroy();
    assert.equal(String(answer), "N");
    assert.deepEqual([...await connect()`select 1 as one`], [{ one: 1 }]);
  });

  await t.test("an error is that client's alone", async () => {
    const asked = [one`select 1 / 0 as n`, other`select 2 as n`, one`select 3 as n`];
    const [failed, ...others] = await Promise.allSettled(asked);
    assert.match(String((failed as PromiseRejectedResult).reason), /division by zero/);
    const values = others.map((result) => result.status === "fulfilled" && result.value[0]?.n);
    assert.deepEqual(values, [2, 3]);
  });

  await t.test("what a client leaves open ends with it", async () => {
    const leaving = connect();
    const left = leaving.begin(async (transaction) => {
      await transaction`delete from things`;
      await leaving.end({ timeout: 0 });
      await transaction`select 1`;
    });
    await assert.rejects(left);
    assert.equal((await other`select from things`).length, 3);
  });

  await t.test("rows that fill many packets come whole, and so do parameters", async () => {
    const text = "æ".repeat(200_000);
    const [row] = await one`select ${text}::text as text, repeat('b', 300000) as more`;
    assert.equal(row?.["text"], text);
    assert.equal(row?.["more"].length, 300_000);
  });

  await Promise.all([one.end(), other.end()]);
  await close();
});
