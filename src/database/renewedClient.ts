// A client for the database that takes a fresh start whenever one of its connections has closed.
import type postgres from "postgres";

/** A client that can be begun anew. */
export interface RenewedClient extends postgres.Sql {
  /**
   * Ends the connections as soon as they have answered what they were asked, for which they have so many seconds; what has no
   * answer then is rejected. What is asked later gets new ones.
   */
  renew: (seconds: number) => void;
}

/** How long the other connections of a client have when one has closed: it waits all that time for the one that closed. */
const LAST_ANSWERS_SECONDS = 1;

/**
 * Gives a client that is begun anew whenever a connection of it has closed. Left alone, postgres.js 3.4.9 uses the place of the
 * closed one again, with what it left there: a query that it was given while it broke has no answer ever, or one without rows as
 * soon as there is a new connection; and words that were not sent yet hold back the new one's login until that times out.
 *
 * @param open opens a client that says when a connection of it has closed
 * @param members what is known of all of them, for those who have the client
 */
export function createRenewedClient<T extends object>(
  open: (onclose: () => void) => postgres.Sql,
  members: T,
): RenewedClient & T {
  const endings = new Set<Promise<void>>();
  let isEnded = false;
  let client = begin();

  function begin(): postgres.Sql {
    const begun = open(() => {
      if (begun === client) renew(LAST_ANSWERS_SECONDS);
    });
    return begun;
  }

  function renew(seconds: number): void {
    if (isEnded) return;
    const ending = client.end({ timeout: seconds }).finally(() => endings.delete(ending));
    endings.add(ending);
    client = begin();
  }

  async function end(options?: { timeout?: number }): Promise<void> {
    isEnded = true;
    await Promise.all([client.end(options), ...endings]);
  }

  const own = { ...members, renew, end };
  return new Proxy(client as RenewedClient & T, {
    apply: (_, __, words) => Reflect.apply(client, undefined, words),
    get: (_, name) => Reflect.get(name in own ? own : client, name),
  });
}
