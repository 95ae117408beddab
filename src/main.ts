// Every so often this takes the active customers, exchanges each one's system user token for a ticket, and logs on to its
// tenant with it. Settings, log, signals and exit codes: program/. How a log-on becomes patient: console/compose.ts.
import type { Which } from "./database/loadCustomers.ts";
import type { Signer } from "./superoffice/signToken.ts";
import { runProgram } from "./program/runProgram.ts";

await runProgram(async ({ run, target, work, customers, once }, surroundings) => {
  // Loaded when the first line is out, since these bring most of the packages.
  const { addCalls } = await import("./database/callCounts.ts");
  const { openDatabase } = await import("./database/connection.ts");
  const { countCustomers, loadCustomers } = await import("./database/loadCustomers.ts");
  const { recordResults } = await import("./database/recordResults.ts");
  const { createSigner } = await import("./superoffice/signToken.ts");
  const { noListeners, noStore, openAlone } = await import("./console/alone.ts");
  const { createCallWriter } = await import("./console/requests/callWriter.ts");
  const { createClock } = await import("./console/clock.ts");
  const { compose } = await import("./console/compose.ts");
  const { createHttpClient } = await import("./console/requests/httpClient.ts");
  const { everySoOften } = await import("./console/loop.ts");
  const { createMemory } = await import("./console/memory.ts");
  const { createPoll } = await import("./console/poll.ts");
  const { createResultWriter } = await import("./console/resultWriter.ts");
  const { createTenantStates } = await import("./console/kept/tenantStates.ts");
  const { createTickets } = await import("./console/kept/tickets.ts");
  const { createOwnTurns } = await import("./console/turns/turns.ts");
  const { createVisit } = await import("./console/visit.ts");
  const { createWork } = await import("./console/work.ts");

  const { log, secrets, explain, telemetry, showProgress, takeNewSettings, stop, giveUp } =
    surroundings;
  const monotonicMs = () => performance.now();
  const clock = createClock(() => new Date());
  const loginHost = new URL(target.loginUrl).host;
  const { turns, pollBegins, heeding, takeChange } = createOwnTurns(
    run.concurrency,
    run.pollMs,
    monotonicMs,
  );
  const database = openDatabase(target.databaseUrl);
  const results = createResultWriter(
    (batch) => recordResults(batch, database),
    { explain, secrets, log },
  );

  // What is kept of tenants: in memory, and where it outlives the process, in the database.
  const tickets = createTickets(monotonicMs, log);
  const kept = { tickets, states: createTenantStates(run.pollMs, monotonicMs) };
  const store = run.storesTickets
    ? (await import("./console/kept/ticketStore.ts"))
      .createTicketStore(target, kept, database, { explain, monotonicMs, log })
    : noStore;

  // Who is taken from the table: the active customers, or those named, or a share of them; and what is remembered of whom.
  const findNamed = customers.length > 0
    ? (await import("./program/findNamed.ts")).createNamed(customers, database)
    : () => Promise.resolve(undefined);
  const load = (which: Which) =>
    loadCustomers(database, monotonicMs, { ...which, withLastWork: work !== undefined });
  const { pollMs, requestTimeoutMs } = run;
  const taking = run.share
    ? (await import("./console/share/openShare.ts"))
      .openShare(run, once, database, store, (ids) => load({ ids }), turns, surroundings)
    : await openAlone(
      { pollMs, tenantMs: once ? pollMs : run.tenantMs },
      load,
      monotonicMs,
      surroundings,
    );
  // Where others reach it: SuperOffice with its notifications, who supervises it, the other consoles.
  const send = heeding(createHttpClient(giveUp, run.requestTimeoutMs, run.proxies));
  const isReached = !once && (run.share || run.notificationsAt || run.healthAt);
  const listeners = isReached
    ? await (await import("./console/listeners/openListeners.ts")).openListeners(
      { ...run, workTimeoutMs: work === undefined ? 0 : run.workTimeoutMs },
      { ...target, clientId: run.clientId },
      kept,
      {
        database,
        store: run.storesTickets ? store : undefined,
        load: (ids) => load({ ids }),
        isShared: run.share,
      },
      send,
      { ...surroundings, now: clock.now },
    )
    : noListeners;
  const memory = listeners.heeding(
    taking.noting(createMemory(pollMs, requestTimeoutMs, loginHost, monotonicMs, taking.backoff)),
  );

  // Each time anew, since the key may be replaced under way.
  const sign: Signer = (data) => createSigner(target.privateKey)(data);
  const means = { sign, send, clock, monotonicMs, log, telemetry };
  const { call, logOn, takeNews, calls } = compose(
    target,
    run,
    means,
    { ...kept, store, claimed: taking.claimed },
    giveUp,
    turns,
  );
  const callWriter = createCallWriter(calls, (batch) => addCalls(batch, database), {
    explain,
    log,
  });
  const ownWork = work && createWork(work, call, run.workTimeoutMs, giveUp);

  // Exchange a customer's token for a ticket, and log on to its tenant with it; say and record what came of it.
  const around = { memory, secrets, telemetry, log };
  const visit = createVisit(
    { logOn, work: ownWork, record: results.add, explain, monotonicMs },
    around,
  );

  // Take the customers, and visit each.
  const progress = showProgress?.(async () => countCustomers(database, await findNamed()));
  const takeCalls = calls.takeCount;
  // A beat is cut by what stands in the rows.
  const settle = run.share
    ? () => {
      void results.write();
      return store.settle();
    }
    : store.settle;
  const parts = { visit, takeNews, takeCalls, takeChange, settle, progress };
  const takeAll = createPoll(parts, turns, { ...around, explain, monotonicMs }, stop);
  const poll = async () => {
    if (await takeNewSettings()) memory.tryAll();
    pollBegins();
    // The script's next run goes on from its last one, and a beat is cut by what stands in the rows.
    if (work !== undefined || run.share) await results.write();
    return await takeAll(store.filled(taking.customers(await findNamed())));
  };

  try {
    if (once) {
      const { complete, failed, workFailed } = await (await poll()).done;
      return await results.flush() && complete && failed + workFailed === 0;
    }
    // Every so often.
    await everySoOften(listeners.watched(poll), pollMs, stop, monotonicMs, taking.nextBeat);
    return true;
  } finally {
    await Promise.all([results.flush(), callWriter.flush(), store.flush()]);
    await taking.leave();
    await listeners.close();
    await database.end({ timeout: 1 });
  }
});
