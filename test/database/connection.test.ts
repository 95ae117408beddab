import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer as createWebServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import {
  type Database,
  DatabaseError,
  openDatabase,
  runQuery,
} from "../../src/database/connection.ts";
import { loadCustomers } from "../../src/database/loadCustomers.ts";
import { recordResults } from "../../src/database/recordResults.ts";
import { openDatabaseDoor } from "../support/databaseDoor.ts";
import { endWithFile } from "../support/leftRunning.ts";
import { SERVER_URL, testDatabases } from "../support/testDatabase.ts";

/** Waiting ever longer between them would take minutes. */
const MANY_TRIES = 40;
const PATIENCE_MS = 20_000;

/** The error of reading the customers, which speaks of no password. */
async function errorOf(database: Database): Promise<DatabaseError> {
  try {
    await loadCustomers(database).next();
  } catch (error) {
    assert.ok(error instanceof DatabaseError, String(error));
    assert.doesNotMatch(`${error.message} ${error.remedy}`, /hunter2/);
    return error;
  }
  assert.fail("the customers could be read");
}

async function errorAt(databaseUrl: string): Promise<DatabaseError> {
  const database = openDatabase(databaseUrl);
  const error = await errorOf(database);
  await database.end();
  return error;
}

/** Listens until the file's end, and gives the port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  endWithFile(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that refuses every log-in as Postgres does, with this SQLSTATE. */
async function startRefusingServer(code: string, message: string) {
  const server = createServer((socket) => {
    socket.once("data", () => {
      const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
      const head = Buffer.alloc(5);
      head.write("E");
      head.writeInt32BE(fields.length + 4, 1);
      socket.end(Buffer.concat([head, fields]));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => server.close(resolve)) };
}

test("a wrong password is named as such, with the host and the variable", async () => {
  const { port, close } = await startRefusingServer("28P01", "password authentication failed");
  const error = await errorAt(`postgres://vendor:hunter2@127.0.0.1:${port}/crm`);
  assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} refused the user «vendor»`));
  assert.match(error.remedy, /password in DATABASE_URL/);
  await close();
});

test("a database that does not exist is named, with the command that creates it", async () => {
  const { port, close } = await startRefusingServer("3D000", "database does not exist");
  const error = await errorAt(`postgres://vendor:hunter2@127.0.0.1:${port}/crm`);
  assert.match(error.message, /has no database «crm»/);
  assert.match(error.remedy, new RegExp(`createdb -h 127\\.0\\.0\\.1 -p ${port} crm`));
  await close();
});

test("where DATABASE_URL names a file of authorities, what does that here is told", async () => {
  const message = 'unrecognized configuration parameter "sslrootcert"';
  const { port, close } = await startRefusingServer("42704", message);
  const error = await errorAt(
    `postgres://vendor:hunter2@127.0.0.1:${port}/crm?sslrootcert=authority.pem`,
  );
  assert.match(error.message, /DATABASE_URL.*sslrootcert/);
  assert.match(error.remedy, /NODE_EXTRA_CA_CERTS/);
  await close();
});

test("a server that is gone is named with host and port", async () => {
  const { port, close } = await startRefusingServer("57P03", "");
  await close();
  const error = await errorAt(`postgres://vendor:hunter2@127.0.0.1:${port}/crm`);
  assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} cannot be reached`));
});

test("a host name that does not exist is named", async () => {
  const error = await errorAt("postgres://vendor:hunter2@nowhere.invalid/crm");
  assert.match(error.message, /nowhere\.invalid:5432 cannot be reached/);
});

for (const sslmode of ["disable", "require"]) {
  test(`a web server is named as no Postgres, with sslmode=${sslmode}`, async () => {
    const port = await listen(createWebServer((_, response) => response.end("hello")));
    const error = await errorAt(`postgres://vendor@127.0.0.1:${port}/crm?sslmode=${sslmode}`);
    assert.match(error.message, /127\.0\.0\.1:\d+ answers, but is no Postgres: it speaks HTTP/);
    assert.match(error.remedy, /host and port in DATABASE_URL/);
  });
}

test("what speaks first, and speaks something else, is named as no Postgres", async () => {
  const port = await listen(createServer((socket) => void socket.write("SSH-2.0-Sample\r\n")));
  const error = await errorAt(`postgres://vendor@127.0.0.1:${port}/crm`);
  assert.match(error.message, /answers, but is no Postgres/);
});

test("where TLS is asked for, a server that has none is named so, however it hangs up", async () => {
  const port = await listen(createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.once("data", () => socket.resetAndDestroy());
      socket.write("N");
    });
  }));
  const error = await errorAt(`postgres://vendor@127.0.0.1:${port}/crm?sslmode=require`);
  assert.match(error.message, /takes no encrypted connections \(TLS\).*sslmode/);
  assert.match(error.remedy, /ssl = on.*take sslmode out/);
});

test("of several hosts that are all gone each is tried, and both are named", async () => {
  let tries = 0;
  const [one, other] = await Promise.all(
    [0, 1].map(() =>
      listen(createServer((socket) => {
        tries++;
        socket.end();
      }))
    ),
  );
  const error = await errorAt(`postgres://vendor@127.0.0.1:${one},127.0.0.1:${other}/crm`);
  assert.match(error.message, new RegExp(`:${one}, 127\\.0\\.0\\.1:${other} cannot be reached`));
  assert.equal(tries, 2);
});

test("of several hosts the one that lives is found, at the first query", async () => {
  const { databaseUrl, close } = await testDatabases[0]!.start();
  const { host } = new URL(databaseUrl);
  const { port, close: goAway } = await startRefusingServer("57P03", "");
  await goAway();
  const database = openDatabase(databaseUrl.replace(host, `127.0.0.2:${port},${host}`));
  await runQuery(database`select`, database);
  await database.end();
  await close();
});

test("what does not answer is given up, and the cause is told: no Postgres, or who holds a lock", async () => {
  const port = await listen(createServer((socket) => void socket.on("error", () => {})));
  await Promise.all([
    ...["disable", "require"].map(async (sslmode) => {
      const error = await errorAt(`postgres://vendor@127.0.0.1:${port}/crm?sslmode=${sslmode}`);
      assert.match(error.message, /takes connections, but says nothing that a Postgres says/);
    }),
    ...testDatabases.slice(1).map(async ({ start }) => {
      const { sql, databaseUrl, close } = await start();
      await sql.begin(async (transaction) => {
        const [row] = await transaction`select pg_backend_pid() as pid`;
        await transaction`lock table customers in access exclusive mode`;
        const error = await errorAt(databaseUrl);
        assert.match(
          error.message,
          new RegExp(`waited .* another session holds: ${row?.["pid"]} `),
        );
        assert.match(error.remedy, /left open/);
      });
      await close();
    }),
  ]);
});

test("on a real server, a database that does not exist is named", {
  skip: SERVER_URL === undefined,
}, async () => {
  const url = new URL(SERVER_URL!);
  url.pathname = "/no_such_database";
  assert.match((await errorAt(url.href)).message, /has no database «no_such_database»/);
});

for (const { name, start } of testDatabases) {
  test(`what the table lacks is named on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    await t.test("a missing column", async () => {
      await sql`alter table customers drop column last_sync`;
      const error = await errorOf(database);
      assert.match(error.message, /last_sync/);
      assert.match(error.remedy, /schema\.sql/);
    });
    await t.test("a missing table", async () => {
      await sql`drop table customers`;
      const error = await errorOf(database);
      assert.match(error.message, /no table «customers»/);
      assert.match(error.remedy, /psql .*schema\.sql/);
    });
    await t.test("the schema can be applied twice, and then results can be written", async () => {
      const schema = await readFile(new URL("../../fixtures/schema.sql", import.meta.url), "utf8");
      await sql.unsafe(schema);
      await sql.unsafe(schema);
      const result = {
        id: "1",
        contextIdentifier: "Cust1",
        syncedAt: null,
        worked: null,
        error: null,
      };
      await recordResults([result], database);
    });
    await database.end();
    await close();
  });
}

for (const { name, start } of testDatabases.slice(1)) {
  test(`the end of a time when the database was read-only is seen at once on ${name}`, async () => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    const result = {
      id: "1",
      contextIdentifier: "Cust1",
      syncedAt: null,
      worked: null,
      error: null,
    };
    const databaseName = database.options.database;
    await sql.unsafe(`alter database ${databaseName} set default_transaction_read_only = on`);
    const sessions = 5;
    await Promise.all(Array.from({ length: sessions }, () => database`select pg_sleep(0.1)`));
    const underWay = database`select pg_sleep(0.3)`.execute();
    await assert.rejects(recordResults([result], database), { message: /is read-only for now/ });
    const admin = openDatabase(`${databaseUrl}?default_transaction_read_only=off`);
    await admin.unsafe(`alter database ${databaseName} set default_transaction_read_only = off`);
    await admin.end();
    const answers = await Promise.all(
      Array.from({ length: 2 * sessions }, () => database`show transaction_read_only`),
    );
    assert.deepEqual(answers.flat().filter((row) => row["transaction_read_only"] !== "off"), []);
    await recordResults([result], database);
    await underWay;
    await database.end();
    await close();
  });
}

for (const { name, start } of testDatabases.slice(1)) {
  test(`what is asked while the connections break has its own answer, or an error at once, on ${name}`, async () => {
    const { databaseUrl, close } = await start();
    const door = await openDatabaseDoor(databaseUrl, "");
    const database = openDatabase(door.databaseUrl);
    const ask = async (question: number) => {
      const query = database<{ answer: number }[]>`select ${question}::int as answer`;
      try {
        return (await runQuery(query, database))[0]?.answer;
      } catch (error) {
        assert.match(
          (error as Error).message,
          /cannot be reached \((CONNECTION_|ECONNRESET|EPIPE)/,
        );
        return "broken";
      }
    };
    for (let round = 1; round <= 5; round++) {
      const [idle, stillIdle, busy] = [0, 0, 60].map((seconds) =>
        runQuery(database`select pg_sleep(${seconds})`, database)
      );
      await Promise.all([idle, stillIdle]);
      door.cut();
      // The idle ones broke before it: they are asked while their end is not seen yet.
      await assert.rejects(busy!, { code: "DATABASE_TROUBLE" });
      const answers = await Promise.all([1, 2, 3, 4].map(ask));
      assert.deepEqual(answers.filter((answer, i) => answer !== "broken" && answer !== i + 1), []);
      assert.equal(await ask(round), round);
    }
    await database.end();
    await close();
  });
}

test("why there is no new connection is told, although the last one broke with a question", async () => {
  const { databaseUrl, close } = await testDatabases[0]!.start();
  const door = await openDatabaseDoor(databaseUrl, "");
  const database = openDatabase(door.databaseUrl);
  await runQuery(database`select`, database);
  door.cut();
  door.policy = { hangUpAt: 2 };
  await assert.rejects(runQuery(database`select`, database), /CONNECTION_CLOSED/);
  await assert.rejects(runQuery(database`select`, database), /CONNECTION_CLOSED/);
  door.policy = "full";
  await assert.rejects(runQuery(database`select`, database), /has no connections left/);
  await door.open();
  await runQuery(database`select`, database);
  await database.end();
  await door.close();
  await close();
});

test("a database that was away for long is asked as soon as it is back", async () => {
  const { databaseUrl, close } = await testDatabases[0]!.start();
  const door = await openDatabaseDoor(databaseUrl, "");
  const database = openDatabase(door.databaseUrl);
  await door.close();
  const away = AbortSignal.timeout(PATIENCE_MS);
  for (let tries = 0; tries < MANY_TRIES; tries++) {
    await assert.rejects(runQuery(database`select`, database), { code: "DATABASE_TROUBLE" });
    away.throwIfAborted();
  }
  await door.open();
  await runQuery(database`select`, database);
  away.throwIfAborted();
  await database.end();
  await door.close();
  await close();
});
