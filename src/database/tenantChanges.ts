// What happened to tenants, told by one console to the others at the same database: Postgres' NOTIFY and LISTEN.
import { type Database, openDatabase, runQuery } from "./connection.ts";

const CHANNEL = "superoffice_tenant_changes";

/** The listening's connection is looked after so often. */
const LOOK_MS = 30_000;
/** And renewed so soon after it broke. */
const RENEW_MS = 5000;

/** Tells texts to all who listen, of fewer than 8,000 bytes each; in one statement. Throws `DatabaseError`. */
export async function tellConsoles(texts: string[], database: Database): Promise<void> {
  const query = database`
    select pg_notify(${CHANNEL}, text) from jsonb_array_elements_text(${
    database.json(texts)
  }) as text`;
  await runQuery(query, database);
}

/** The ids of the customers whose names, in lower case, are these. Throws `DatabaseError`. */
export async function findIds(names: string[], database: Database): Promise<string[]> {
  const query = database<{ id: string }[]>`
    select id from customers
    where lower(context_identifier) in (select jsonb_array_elements_text(${database.json(names)}))`;
  return (await runQuery(query, database)).map(({ id }) => id);
}

/**
 * Listens for what other consoles tell, on a connection of its own, until `stop`. Where that breaks it is renewed, and what was told
 * meanwhile is missed. Never rejects.
 *
 * @param hear is given each text; anybody who may connect to the database can have sent it
 * @param tellTrouble is given what the database failed with, once until it listens again
 */
export async function listenToConsoles(
  databaseUrl: string,
  hear: (text: string) => void,
  tellTrouble: (error: unknown) => void,
  stop: AbortSignal,
): Promise<void> {
  let wake = (): void => {};
  const wait = (ms: number, ...signals: AbortSignal[]) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(end, ms);
      function end(): void {
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener("abort", end);
        resolve();
      }
      for (const signal of signals) signal.addEventListener("abort", end);
      if (signals.some(({ aborted }) => aborted)) end();
    });
  const database = openDatabase(databaseUrl, {
    max: 1,
    max_lifetime: null,
    onnotify: (_channel, text) => hear(text),
    onclose: () => wake(),
  });
  let isTold = false;
  while (!stop.aborted) {
    try {
      // To listen twice is to listen once: said again, it shows whether the connection lives.
      await runQuery(database`listen ${database(CHANNEL)}`, database);
      isTold = false;
      const closed = new AbortController();
      wake = () => closed.abort();
      await wait(LOOK_MS, stop, closed.signal);
    } catch (error) {
      if (!isTold) tellTrouble(error);
      isTold = true;
      await wait(RENEW_MS, stop);
    }
  }
  await database.end({ timeout: 1 });
}
